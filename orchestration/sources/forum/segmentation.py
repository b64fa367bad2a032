"""Where the comments of a captured forum page begin and end: pure rules over its lines.

The page gives one block of text per line and nothing that says whose it is or where a comment ends. Two
rules find the borders. First the site's own cut: ForumMagnum shows of a long comment only its first 562
characters and three dots, so the lines of a cut comment add up to a known length. Then, for the lines in
between, how comments begin and go on: openers, connectives, lists, shared words. What is found by the
second rule is a guess and says so in its confidence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

# ForumMagnum cuts the HTML of a comment longer than 750 characters to floor(750 - 750 / 4) characters of text
WHOLE_COMMENT = 750
CUT_COMMENT = 562 + len("...")
_CUT_AT_LEAST = 553  # inline maths and links can be lost from a capture, a dozen characters at most as a rule
_CUT_WITH_LOSSES = 400  # below this, dots at the end of a line are rather the writer's own
_MOVED_DOTS_LINES = 3
_NEAR_BLOCKS = 3
_READ_MORE = re.compile(r"(?:\.\.\.|…)\s*\(read more\)\s*$")

_INTERJECTION = re.compile(
    r"(?:(?:many )?thanks|thank you|thx|yep|yeah|yup|oh|ah|aha|huh|wow|awesome|nice|great|cool|love|hi|hey|hello|sorry"
    r"|okay|ok|sure|fair|agreed|exactly|indeed|interesting|upvoted|strong upvote|congrats"
    r"|good (?:question|point|catch|idea))\b",
    re.IGNORECASE,
)
_THANKS = re.compile(r"\b(?:thank|thanks|thx|appreciate)\b", re.IGNORECASE)
_APOLOGY_OR_GREETING = re.compile(r"(?:sorry|hi|hey|hello)\b", re.IGNORECASE)
_STANCE = re.compile(
    r"(?:personally|probably|maybe|off-the-cuff|fwiw|imo|my (?:guess|impression|understanding|take)"
    r"|\((?:context|disclaimer|epistemic|low|medium|high)\b|[\w ,']{0,40}\banswer\b)",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"(?:I|yes|no|hm+|you['’]re|you are|(?:strong|bold) claim|not (?:sure|quite)|disagree)\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    r"(?:also|additionally|moreover|furthermore|however|and|but|another|besides|finally|lastly|similarly|instead"
    r"|otherwise|therefore|thus|hence|that said|this being said|that being said|having said|to be clear|note that"
    r"|as for|tl;dr|edit|one (?:last|more|other)|in (?:addition|other words|short|contrast|particular)|to put it"
    r"|on the other hand|i(?:'d|’d)? also|first|second|third|please|let me know|hope"
    r"|for (?:people|those|anyone|others|readers)|in (?:this|that|the)\b[\w -]{0,20}\b(?:case|situation))\b",
    re.IGNORECASE,
)
_ANNOUNCES = re.compile(r"(?:\w\W?:|,)$")  # not the colon of a smiley
_CONTINUES = re.compile(r"[a-z.,;:!?)\]]")  # inline code or maths before it was lost or stands on a line of its own
_ASIDE = re.compile(r"\(|We\b")
_LIST_ITEM = re.compile(r"(?:[-*•–]|\(?\d{1,2}[.)])\s")
_LINK_ALONE = re.compile(r"https?://\S+$")
_LABEL = re.compile(r"[A-Z][\w ]{2,25}: ")
_TOPIC = re.compile(
    r"(?:(?:some |quick |my )?(?:thoughts|notes|musings|reflections) (?:on|about)"
    r"|on \w+ing|what (?:is|are)|consider|suppose|imagine)\b",
    re.IGNORECASE,
)
_PERSONAL = re.compile(r"\b(?:I|me|my|you|your)\b", re.IGNORECASE)
_SHORT_LINE = 100
_SHORT_TITLE = 60
_REPEATABLE = 60  # shorter ones, such as thanks, are often said twice
_LIKENESS = 0.25
_SURE_LIKENESS = 0.6
_MOST_LINES = 200
_SURE = 2.0


@dataclass(frozen=True)
class Segment:
    """One comment of the page, as far as can be told.

    Args:
        first: Position of its first line among the given lines, from 0.
        last: Position of its last line.
        is_truncated: Whether the site shows only its beginning.
        confidence: ``exact`` if its length is the site's cut to the character, ``high`` if its borders are
            cuts or unmistakable openers, ``medium`` if they are a guess.
        kind: ``own_comment``, ``quick_take`` or ``reply_by_other``.
    """

    first: int
    last: int
    is_truncated: bool = False
    confidence: str = "medium"
    kind: str = "own_comment"


def shown(line: str) -> str:
    """The line as the site counts it: without the words of the link that opens the rest."""
    return _READ_MORE.sub("...", line)


def has_read_more(line: str) -> bool:
    """Whether the line ends with the site's mark of a cut comment, dots and ``(read more)``."""
    return _READ_MORE.search(line) is not None


def _fitting_blocks(lines: Sequence[str], mark: int, ends: frozenset[int]) -> list[tuple[int, int, int]]:
    """Runs of lines around dots that have the length of a cut comment, as (missing characters, first, last)."""
    last_mark = mark if mark in ends else min(mark + _MOVED_DOTS_LINES, len(lines) - 1)
    found = []
    for last in range(mark, last_mark + 1):
        total = sum(len(shown(line)) for line in lines[mark + 1 : last + 1])
        for first in range(mark, -1, -1):
            total += len(shown(lines[first]))
            if total > CUT_COMMENT or (first < mark and first in ends):
                break
            if total >= _CUT_AT_LEAST:
                found.append((CUT_COMMENT - total, first, last))
    return found


def truncated_blocks(lines: Sequence[str]) -> list[Segment]:
    """The comments that the site has cut, in the page's order.

    A cut comment ends with dots, or with the last quotation in it if the capture moved the dots to the
    front of that quotation. Where several beginnings fit, the one that gives 565 characters is taken. Once
    the page is known to be cut, a line that ends with dots but fits nowhere has lost some of its comment:
    it takes as many lines before it as a cut comment can have.
    """
    ends = frozenset(i for i, line in enumerate(lines) if shown(line).endswith("..."))
    marks = [i for i, line in enumerate(lines) if i in ends or line.startswith("...")]
    taken: set[int] = set()
    settled: set[int] = set()
    blocks: list[Segment] = []
    fitting = sorted((*block, mark) for mark in marks for block in _fitting_blocks(lines, mark, ends))
    for missing, first, last, mark in fitting:
        run = set(range(first, last + 1))
        if mark not in settled and not run & taken:
            taken |= run
            settled.add(mark)
            blocks.append(Segment(first, last, is_truncated=True, confidence="high" if missing else "exact"))
    exact = sum(1 for block in blocks if block.confidence == "exact")
    if not exact and len(blocks) < _NEAR_BLOCKS and not any(has_read_more(line) for line in lines):
        return []  # one writer's dots in sixteen have such a sum before them by chance
    borders = taken | ends
    for mark in sorted(ends - taken):
        first, total = mark, len(shown(lines[mark]))
        while first > 0 and first - 1 not in borders and total + len(lines[first - 1]) <= CUT_COMMENT:
            first -= 1
            total += len(lines[first])
        if total <= CUT_COMMENT and (has_read_more(lines[mark]) or total >= _CUT_WITH_LOSSES):
            blocks.append(Segment(first, mark, is_truncated=True))
    return sorted(blocks, key=lambda block: block.first)


def _stems(line: str) -> set[str]:
    """Beginnings of the line's longer words; six letters bring ``represent`` and ``representation`` together."""
    return {word[:6].rstrip("s") for word in re.findall(r"[a-z][a-z'’]{3,}", line.lower())}


class _Page:
    """The lines of a page with what is known of them as a whole."""

    def __init__(self, lines: Sequence[str], blocks: Sequence[Segment]) -> None:
        self.lines = lines
        self.stems = [_stems(line) for line in lines]
        spread = Counter(stem for stems in self.stems for stem in stems)
        self.weights = {stem: math.log(len(lines) / count) for stem, count in spread.items()}
        self.is_cut = bool(blocks)
        in_blocks = {i for block in blocks for i in range(block.first, block.last + 1)}
        free = Counter(line for i, line in enumerate(lines) if i not in in_blocks)
        self.repeated = {line for line, count in free.items() if count > 1 and len(line) >= _REPEATABLE}

    def likeness(self, one: set[str], other: set[str]) -> float:
        """Shared rare words of two texts, in relation to the words of both; 0 for none, about 0.5 for one topic."""
        return sum(self.weights[stem] for stem in one & other) / math.sqrt((1 + len(one)) * (1 + len(other)))

    def _sure_border(self, line: str, before: str) -> float | None:
        """The score of a border that one cue decides; cues that stand first outweigh the later ones."""
        if line in self.repeated or before in self.repeated or _INTERJECTION.match(line):
            return 2 * _SURE
        if any(len(text) <= _SHORT_LINE and _THANKS.search(text) for text in (line, before)):
            return _SURE
        if _LIST_ITEM.match(line) or _LINK_ALONE.match(line) or _CONTINUES.match(line):
            return -2 * _SURE
        is_header = _LABEL.match(before) and (len(before) <= _SHORT_TITLE or _LABEL.match(line))
        is_greeting = len(before) <= _SHORT_LINE and _APOLOGY_OR_GREETING.match(before)
        if _ANNOUNCES.search(before) or _CONNECTIVE.match(line) or is_header or is_greeting:
            return -_SURE
        return None

    def border(self, at: int, last: int) -> float:
        """Whether a comment ends before line ``at``: above 0 rather so, below 0 rather not, 2 and more surely.

        ``last`` is the line before the next cut comment: what stands after it says nothing of this border.
        """
        line, before = self.lines[at], self.lines[at - 1]
        if (sure := self._sure_border(line, before)) is not None:
            return sure
        score = 4 * (0.22 - self.likeness(self.stems[at - 1], self.stems[at]))
        if _STANCE.match(line) or line.startswith(('"', "“")):
            score += 1
        elif _REPLY.match(line) or _ASIDE.match(line):
            score -= 1
        elif line.startswith("The "):
            score -= 0.5
        if before.endswith("?"):
            score += 0.5
        # a quotation stands before the reply to it, and nothing of the same comment before the quotation
        if at < last and _REPLY.match(self.lines[at + 1]) and not _REPLY.match(line):
            score += 0.7
        return max(-1.9, min(1.9, score))


def _split(page: _Page, first: int, last: int) -> list[Segment]:
    """The comments of a run of lines without a cut one: the split with the best sum of border scores."""
    lines = page.lines
    scores = {at: page.border(at, last) for at in range(first + 1, last + 1)}
    best: dict[int, tuple[float, int]] = {first: (0.0, first)}  # end (exclusive) -> sum, begin of the last comment
    for end in range(first + 1, last + 2):
        inner, length, options = 0.0, 0, []
        for begin in range(end - 1, max(first, end - _MOST_LINES) - 1, -1):
            length += len(lines[begin])
            if page.is_cut and length > WHOLE_COMMENT and begin < end - 1:
                break  # it would have been cut
            options.append((best[begin][0] + (scores[begin] if begin > first else 0.0) - inner, begin))
            inner += scores.get(begin, 0.0)
        best[end] = max(options)
    segments: list[Segment] = []
    end = last + 1
    while end > first:
        begin = best[end][1]
        borders = [scores[at] for at in (begin, end) if at in scores]
        joints = [-scores[at] for at in range(begin + 1, end)]
        is_sure = all(score >= _SURE for score in borders + joints)
        segments.append(Segment(begin, end - 1, confidence="high" if is_sure else "medium"))
        end = begin
    return segments[::-1]


def segments_of(lines: Sequence[str]) -> list[Segment]:
    """The comments of a page, given its lines without blank ones and without the interface's headers.

    Every line belongs to exactly one segment; the segments stand in the page's order.
    """
    blocks = truncated_blocks(lines)
    page = _Page(lines, blocks)
    segments: list[Segment] = []
    position = 0
    for block in [*blocks, None]:
        end = block.first if block else len(lines)
        if end > position:
            segments += _split(page, position, end - 1)
        if block:
            segments.append(block)
            position = block.last + 1
    return _with_kinds(page, segments)


def _with_kinds(page: _Page, segments: Sequence[Segment]) -> list[Segment]:
    """The segments with their kinds.

    A listing shows a quick take with its newest answers below it. The owner's own answers stand on the page
    twice, first by themselves and later below the quick take; an answer that stands once is another's.
    """
    texts = ["\n".join(page.lines[each.first : each.last + 1]) for each in segments]
    openings = [page.lines[each.first] for each in segments]
    kinds = ["own_comment"] * len(segments)
    for place, each in enumerate(segments):
        answer = place + 1
        if kinds[place] == "reply_by_other":
            continue
        has_answer = answer < len(segments) and not segments[answer].is_truncated
        is_own_answer = has_answer and texts[answer] in page.repeated and texts[answer] in texts[:place]
        likeness = 0.0
        if has_answer and texts[answer] not in page.repeated and not _opens_a_topic(openings[answer], segments[answer]):
            likeness = page.likeness(_stems(texts[place]), _stems(texts[answer]))
        is_answered_topic = each.is_truncated and likeness >= _SURE_LIKENESS and not _PERSONAL.search(openings[place])
        if is_own_answer or is_answered_topic or _opens_a_topic(openings[place], each):
            kinds[place] = "quick_take"
            if likeness >= _LIKENESS:
                kinds[answer] = "reply_by_other"
    return [replace(each, kind=kind) for each, kind in zip(segments, kinds, strict=True)]


def _opens_a_topic(line: str, segment: Segment) -> bool:
    """Whether a comment that begins with this line sets a topic of its own: a title, or words that announce one."""
    is_answer = _PERSONAL.search(line) or _INTERJECTION.match(line) or _REPLY.match(line) or _THANKS.search(line)
    is_title = line.endswith(".") and len(line) <= _SHORT_TITLE and segment.last > segment.first
    return _TOPIC.match(line) is not None or (is_title and not is_answer and line != ".")
