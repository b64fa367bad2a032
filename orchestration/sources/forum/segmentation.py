"""Borders of the comments on a captured forum page, found by rules over its lines.

The page has one block of text per line and nothing that marks authors or the ends of comments. Two rules find the
borders. First, the site truncates: of a long comment ForumMagnum shows the first 562 characters and three dots, so the
lines of a truncated comment add up to a known length. Second, the lines in between are split by how comments begin and
continue: openers, connectives, lists, shared words. The second rule estimates, which the confidence of a segment shows.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

# ForumMagnum truncates the HTML of a comment longer than 750 characters to floor(750 - 750 / 4) characters of text
MAX_WHOLE_CHARACTERS = 750
TRUNCATED_CHARACTERS = 562 + len("...")
_MIN_TRUNCATED_CHARACTERS = 553  # captures can lose inline maths and links, usually at most a dozen characters
_MIN_LOSSY_CHARACTERS = 400  # in shorter texts, dots at the end of a line are usually the author's own
_MAX_LINES_AFTER_DOTS = 3
_MIN_INEXACT_BLOCKS = 3
_READ_MORE = re.compile(r"(?:\.\.\.|…)\s*\(read more\)\s*$")

_INTERJECTION = re.compile(
    r"(?:(?:many )?thanks|thank you|thx|yep|yeah|yup|oh|ah|aha|huh|wow|awesome|nice|great|cool|love|hi|hey|hello|sorry"
    r"|okay|ok|sure|fair|agreed|exactly|indeed|interesting|upvoted|strong upvote|congrats"
    r"|good (?:question|point|catch|idea))\b|[+-]1\b",
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
_ANNOUNCES = re.compile(r"(?:\w\W?:|,)$")  # not the colon of an emoticon
_CONTINUES = re.compile(r"[a-z.,;:!?)\]]")  # the inline code or maths before it was lost or moved to its own line
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
_SHORT_LINE_CHARACTERS = 100
_SHORT_TITLE_CHARACTERS = 60
_MIN_REPEATED_CHARACTERS = 60  # shorter lines, such as thanks, are often repeated by chance
_MIN_SIMILARITY = 0.25
_HIGH_SIMILARITY = 0.6
_MAX_LINES = 200
_CERTAIN_SCORE = 2.0


@dataclass(frozen=True)
class Segment:
    """One comment of the page.

    Args:
        first: Index of its first line, from 0.
        last: Index of its last line.
        is_truncated: Whether the site shows only its beginning.
        confidence: ``exact`` if it has exactly the length of a truncated comment, ``high`` if its borders are
            truncations or clear openers, ``medium`` otherwise.
        kind: ``own_comment``, ``quick_take`` or ``reply_by_other``.
    """

    first: int
    last: int
    is_truncated: bool = False
    confidence: str = "medium"
    kind: str = "own_comment"


def strip_read_more(line: str) -> str:
    """The line without the words ``(read more)``, as the site counts its characters."""
    return _READ_MORE.sub("...", line)


def has_read_more(line: str) -> bool:
    """Whether the line ends with dots and ``(read more)``, which mark a truncated comment."""
    return _READ_MORE.search(line) is not None


def _find_candidate_blocks(lines: Sequence[str], dots: int, ends: frozenset[int]) -> list[tuple[int, int, int]]:
    """Runs of lines with the length of a truncated comment, as (missing characters, first, last).

    Args:
        lines: The lines of the page.
        dots: Index of a line that begins or ends with dots.
        ends: Indexes of the lines that end with dots.
    """
    max_last = dots if dots in ends else min(dots + _MAX_LINES_AFTER_DOTS, len(lines) - 1)
    candidates = []
    for last in range(dots, max_last + 1):
        total = sum(len(strip_read_more(line)) for line in lines[dots + 1 : last + 1])
        for first in range(dots, -1, -1):
            total += len(strip_read_more(lines[first]))
            if total > TRUNCATED_CHARACTERS or (first < dots and first in ends):
                break
            if total >= _MIN_TRUNCATED_CHARACTERS:
                candidates.append((TRUNCATED_CHARACTERS - total, first, last))
    return candidates


def find_truncated_blocks(lines: Sequence[str]) -> list[Segment]:
    """The truncated comments, in page order.

    A truncated comment ends with dots, or with its last quotation if the capture moved the dots to the front of that
    quotation. If several first lines are possible, the one that gives 565 characters is used. On a page with truncated
    comments, a line that ends with dots but fits no block has lost characters: its comment gets as many lines before
    it as a truncated comment can have.
    """
    ends = frozenset(i for i, line in enumerate(lines) if strip_read_more(line).endswith("..."))
    dotted = [i for i, line in enumerate(lines) if i in ends or line.startswith("...")]
    used_lines: set[int] = set()
    used_dots: set[int] = set()
    blocks: list[Segment] = []
    candidates = sorted((*block, dots) for dots in dotted for block in _find_candidate_blocks(lines, dots, ends))
    for missing, first, last, dots in candidates:
        run = set(range(first, last + 1))
        if dots not in used_dots and not run & used_lines:
            used_lines |= run
            used_dots.add(dots)
            blocks.append(Segment(first, last, is_truncated=True, confidence="high" if missing else "exact"))
    exact = sum(1 for block in blocks if block.confidence == "exact")
    if not exact and len(blocks) < _MIN_INEXACT_BLOCKS and not any(has_read_more(line) for line in lines):
        return []  # one in sixteen lines with an author's own dots has such a sum before it by chance
    borders = used_lines | ends
    for dots in sorted(ends - used_lines):
        first, total = dots, len(strip_read_more(lines[dots]))
        while first > 0 and first - 1 not in borders and total + len(lines[first - 1]) <= TRUNCATED_CHARACTERS:
            first -= 1
            total += len(lines[first])
        if total <= TRUNCATED_CHARACTERS and (has_read_more(lines[dots]) or total >= _MIN_LOSSY_CHARACTERS):
            blocks.append(Segment(first, dots, is_truncated=True))
    return sorted(blocks, key=lambda block: block.first)


def _extract_stems(line: str) -> set[str]:
    """The first six letters of the words of four letters and more, so that ``represent`` matches ``representation``."""
    return {word[:6].rstrip("s") for word in re.findall(r"[a-z][a-z'’]{3,}", line.lower())}


class _PageStatistics:
    """The lines of a page, with the frequencies of their words and the repeated lines."""

    def __init__(self, lines: Sequence[str], blocks: Sequence[Segment]) -> None:
        self.lines = lines
        self.stems = [_extract_stems(line) for line in lines]
        frequencies = Counter(stem for stems in self.stems for stem in stems)
        self.weights = {stem: math.log(len(lines) / count) for stem, count in frequencies.items()}
        self.is_truncated = bool(blocks)
        in_blocks = {i for block in blocks for i in range(block.first, block.last + 1)}
        free = Counter(line for i, line in enumerate(lines) if i not in in_blocks)
        self.repeated = {line for line, count in free.items() if count > 1 and len(line) >= _MIN_REPEATED_CHARACTERS}

    def measure_similarity(self, one: set[str], other: set[str]) -> float:
        """Weight of the shared rare words of two texts, relative to their lengths; about 0.5 for texts of one topic."""
        return sum(self.weights[stem] for stem in one & other) / math.sqrt((1 + len(one)) * (1 + len(other)))

    def _score_certain_border(self, line: str, before: str) -> float | None:
        """Score of a border that a single cue decides, by the order of the rules; None if no cue applies."""
        if line in self.repeated or before in self.repeated or _INTERJECTION.match(line):
            return 2 * _CERTAIN_SCORE
        if any(len(text) <= _SHORT_LINE_CHARACTERS and _THANKS.search(text) for text in (line, before)):
            return _CERTAIN_SCORE
        if _LIST_ITEM.match(line) or _LINK_ALONE.match(line) or _CONTINUES.match(line):
            return -2 * _CERTAIN_SCORE
        is_header = _LABEL.match(before) and (len(before) <= _SHORT_TITLE_CHARACTERS or _LABEL.match(line))
        is_greeting = len(before) <= _SHORT_LINE_CHARACTERS and _APOLOGY_OR_GREETING.match(before)
        if _ANNOUNCES.search(before) or _CONNECTIVE.match(line) or is_header or is_greeting:
            return -_CERTAIN_SCORE
        return None

    def score_border(self, at: int, last: int) -> float:
        """Score of a border before line ``at``: positive if a comment probably ends there, from 2 on certainly.

        Args:
            at: Index of the line.
            last: Index of the last line before the next truncated comment; later lines are not considered.
        """
        line, before = self.lines[at], self.lines[at - 1]
        if (certain_score := self._score_certain_border(line, before)) is not None:
            return certain_score
        score = 4 * (0.22 - self.measure_similarity(self.stems[at - 1], self.stems[at]))
        if _STANCE.match(line) or line.startswith(('"', "“")):
            score += 1
        elif _REPLY.match(line) or _ASIDE.match(line):
            score -= 1
        elif line.startswith("The "):
            score -= 0.5
        if before.endswith("?"):
            score += 0.5
        if _LIST_ITEM.match(before):
            score -= 1  # few comments end with a list
        # a quotation precedes the reply to it and usually begins a comment
        if at < last and _REPLY.match(self.lines[at + 1]) and not _REPLY.match(line):
            score += 0.7
        return max(-1.9, min(1.9, score))


def _split_lines(page: _PageStatistics, first: int, last: int) -> list[Segment]:
    """The comments of a run of lines without truncated ones: the split with the best sum of border scores."""
    lines = page.lines
    scores = {at: page.score_border(at, last) for at in range(first + 1, last + 1)}
    best: dict[int, tuple[float, int]] = {first: (0.0, first)}  # end (exclusive): (sum, first line of the last comment)
    for end in range(first + 1, last + 2):
        inner, length, options = 0.0, 0, []
        for begin in range(end - 1, max(first, end - _MAX_LINES) - 1, -1):
            length += len(lines[begin])
            if page.is_truncated and length > MAX_WHOLE_CHARACTERS and begin < end - 1:
                break  # the site would have truncated it
            options.append((best[begin][0] + (scores[begin] if begin > first else 0.0) - inner, begin))
            inner += scores.get(begin, 0.0)
        best[end] = max(options)
    segments: list[Segment] = []
    end = last + 1
    while end > first:
        begin = best[end][1]
        borders = [scores[at] for at in (begin, end) if at in scores]
        joints = [-scores[at] for at in range(begin + 1, end)]
        is_sure = all(score >= _CERTAIN_SCORE for score in borders + joints)
        segments.append(Segment(begin, end - 1, confidence="high" if is_sure else "medium"))
        end = begin
    return segments[::-1]


def find_segments(lines: Sequence[str]) -> list[Segment]:
    """The comments of a page, in page order; each line belongs to exactly one.

    Args:
        lines: The lines of the page, without blank lines and headers of the interface.
    """
    blocks = find_truncated_blocks(lines)
    page = _PageStatistics(lines, blocks)
    segments: list[Segment] = []
    position = 0
    for block in [*blocks, None]:
        end = block.first if block else len(lines)
        if end > position:
            segments += _split_lines(page, position, end - 1)
        if block:
            segments.append(block)
            position = block.last + 1
    return _classify_segments(page, segments)


def _classify_segments(page: _PageStatistics, segments: Sequence[Segment]) -> list[Segment]:
    """The segments with their kinds.

    The page shows a quick take with its newest replies below it. Replies by the owner appear twice, first by themselves
    and later below the quick take; a reply that appears once is by another user.
    """
    texts = ["\n".join(page.lines[segment.first : segment.last + 1]) for segment in segments]
    first_lines = [page.lines[segment.first] for segment in segments]
    first_places = {text: index for index, text in reversed(list(enumerate(texts)))}
    kinds = ["own_comment"] * len(segments)
    for index, segment in enumerate(segments):
        reply = index + 1
        if kinds[index] == "reply_by_other":
            continue
        has_reply = reply < len(segments) and not segments[reply].is_truncated
        is_reply_repeated = has_reply and texts[reply] in page.repeated
        is_own_reply = is_reply_repeated and first_places[texts[reply]] < index
        similarity = 0.0
        if has_reply and not is_reply_repeated and not _is_topic_opening(first_lines[reply], segments[reply]):
            similarity = page.measure_similarity(_extract_stems(texts[index]), _extract_stems(texts[reply]))
        is_impersonal = not _PERSONAL.search(first_lines[index])
        has_reply_on_topic = segment.is_truncated and similarity >= _HIGH_SIMILARITY and is_impersonal
        if is_own_reply or has_reply_on_topic or _is_topic_opening(first_lines[index], segment):
            kinds[index] = "quick_take"
            if similarity >= _MIN_SIMILARITY:
                kinds[reply] = "reply_by_other"
    return [replace(segment, kind=kind) for segment, kind in zip(segments, kinds, strict=True)]


def _is_topic_opening(line: str, segment: Segment) -> bool:
    """Whether the first line of a segment opens a topic: a title, or words such as “Thoughts on”."""
    is_reply = _PERSONAL.search(line) or _INTERJECTION.match(line) or _REPLY.match(line) or _THANKS.search(line)
    is_title = line.endswith(".") and len(line) <= _SHORT_TITLE_CHARACTERS and segment.last > segment.first
    return _TOPIC.match(line) is not None or (is_title and not is_reply and line != ".")
