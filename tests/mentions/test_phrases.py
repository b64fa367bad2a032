"""Titles, aliases and names are found as whole words, the leftmost and longest, outside of links and boilerplate."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.mentions.phrases import find_phrases
from transforms.mentions.words import Words, list_skipped_spans

BOILERPLATE = [r"A podcast by [^\n]{1,120}?\.(?=\s|$)"]


def list_found(text: str, *phrases: str, exact: tuple[str, ...] = ()) -> list[str]:
    """The phrases that are found, as written in the text; ``exact`` ones must have the same case."""
    wanted = [*phrases, *exact]
    return [found.fragment for found in find_phrases(text, wanted, [phrase in exact for phrase in wanted], BOILERPLATE)]


def test_case_and_punctuation_between_words_do_not_matter() -> None:
    title = "weighing small models of large seas"
    for text in (
        "Read Weighing Small Models of Large Seas!",
        "“Weighing small-models\nof large seas”",
        "WEIGHING SMALL MODELS: OF LARGE SEAS",
        "Weighing \u201csmall\u201d models \u2014 of large s\u00adeas",
        "\uff37eighing small models of large seas",
    ):
        assert len(list_found(text, title)) == 1, text


def test_only_whole_words_are_found() -> None:
    assert list_found("reinterpretation and interps of interp-like tools", "interp") == ["interp"]
    assert list_found("The sea-lions of Wales", "sea lion", "ales") == []


def test_title_in_another_script_is_found() -> None:
    assert list_found("см. «Малые модели больших морей»", "малые модели больших морей") == [
        "Малые модели больших морей"
    ]
    assert list_found("यह किताब है", "किताब") == ["किताब"]
    assert list_found("यह कताब है", "किताब") == []


def test_acronyms_need_their_case() -> None:
    assert list_found("In iti, TMS and tms of ITIs", exact=("ITI", "TMS")) == ["TMS"]
    assert list_found("anthropic and Anthropic", exact=("Anthropic",)) == ["Anthropic"]


def test_an_acronym_in_the_wrong_case_hides_nothing() -> None:
    assert list_found("the sae probe", "probe", exact=("SAE probe",)) == ["probe"]


def test_the_leftmost_and_longest_of_overlapping_phrases_is_found() -> None:
    assert list_found("some mech interp work", "interp", "mech interp") == ["mech interp"]
    assert list_found("alpha beta gamma", "beta gamma", "alpha beta") == ["alpha beta"]
    assert list_found("alpha beta gamma", "beta gamma", "alpha beta gamma delta") == ["beta gamma"]
    assert list_found("interp, mech interp", "interp", "mech interp") == ["interp", "mech interp"]


def test_links_and_boilerplate_mention_nothing() -> None:
    text = "See https://example.org/red-teaming/TMS, example.org/TMS.\nA podcast by Red Teaming Weekly. The TMS paper."
    assert [found.place for found in find_phrases(text, ["TMS", "red teaming"], [True, False], BOILERPLATE)] == [
        text.index("TMS paper") + 1
    ]


def test_a_phrase_in_small_letters_and_without_quotation_marks_is_plain() -> None:
    def is_plain(text: str) -> bool:
        (found,) = find_phrases(text, ["models of large seas"], [False])
        return found.is_plain

    assert is_plain("we built models of large seas")
    assert not is_plain("we read Models of large seas")
    assert not is_plain("we read “models of large seas”")
    assert not is_plain("we read *models of large seas*")


def test_phrases_with_the_same_words_are_all_found() -> None:
    assert [found.number for found in find_phrases("On red-teaming.", ["red teaming", "Red Teaming"], [False] * 2)] == [
        0,
        1,
    ]


def test_nothing_is_found_without_phrases_or_words() -> None:
    assert find_phrases("some text", [], []) == []
    assert find_phrases("", ["some text"], [False]) == []
    assert find_phrases("…", ["…", "some"], [False, False]) == []


TOKENS = st.sampled_from(["a", "b", "c", "ab", "Ab", "B"])


def select_plainly(words: list[str], phrases: list[list[str]]) -> list[tuple[int, int]]:
    """First and last word of what is found, by comparing every phrase at every word."""
    found, first = [], 0
    while first < len(words):
        lengths = [len(phrase) for phrase in phrases if words[first : first + len(phrase)] == phrase]
        if lengths:
            found.append((first, first + max(lengths) - 1))
        first += max(lengths, default=1)
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(TOKENS, max_size=30), st.lists(st.lists(TOKENS, min_size=1, max_size=4), min_size=1, max_size=6))
def test_the_same_is_found_as_by_comparing_every_phrase_at_every_word(
    tokens: list[str], phrases: list[list[str]]
) -> None:
    text = " ".join(tokens)
    words = Words(text)
    folded = [[word.lower() for word in phrase] for phrase in phrases]
    expected = select_plainly([token.lower() for token in tokens], folded)
    found = find_phrases(text, [" ".join(phrase) for phrase in phrases], [False] * len(phrases))
    places = list(dict.fromkeys((hit.place - 1, hit.place - 1 + len(hit.fragment)) for hit in found))
    assert places == [(words.spans[first][0], words.spans[last][1]) for first, last in expected]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.text(min_size=1, max_size=20))
def test_a_phrase_is_found_where_it_stands(before: str, after: str, phrase: str) -> None:
    text = f"{before} | {phrase} | {after}"
    assert Words(text).folded == [*Words(before).folded, *Words(phrase).folded, *Words(after).folded]
    found = find_phrases(text, [phrase], [False])
    if Words(phrase).folded and not list_skipped_spans(text):
        assert any(hit.place <= len(before) + 4 + len(phrase) for hit in found)
    for hit in found:
        assert text[hit.place - 1 :].split()[0].startswith(hit.fragment.split()[0])
