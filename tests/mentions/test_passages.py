"""Quoted fragments, abstracts, and lines that name authors and narrators."""

from __future__ import annotations

import pytest

from transforms.mentions.credit_lines import list_credits, list_people
from transforms.mentions.quotes import abstract_similarity, list_quotes


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ('It is "one two three four" here.', ["one two three four"]),
        ("It is “one two three four” and „five six seven eight“.", ["one two three four", "five six seven eight"]),
        ("It is 'one two three four' here.", ["one two three four"]),
        ("It's 'one two don't four' here", ["one two don't four"]),
        ('"one two three four" is not "five six seven eight"', ["one two three four", "five six seven eight"]),
        ('an inch " and "one two three four"', ["one two three four"]),
        ('"one two three" has three words', []),
        ('"one two\nthree four" is on two lines', []),
        ("don't do what they don't want to do here", []),
        ("https://example.org/'one-two-three-four'", []),
        (f'"{"word " * 41}end"', []),
    ],
)
def test_quotes_are_listed(text: str, fragments: list[str]) -> None:
    found = list_quotes(text)
    assert [quote.fragment for quote in found] == fragments
    assert all(text[quote.place - 1 :].startswith(quote.fragment) for quote in found)


def test_quotes_in_boilerplate_are_left_out() -> None:
    assert list_quotes('Listen to "one two three four".', ["Listen to [^.]*"]) == []


@pytest.mark.parametrize(
    ("names", "people"),
    [
        ("Ada Stone, Bo Reed and Cy de la Vale", ["Ada Stone", "Bo Reed", "Cy de la Vale"]),
        ("Ada B. Stone; Jörg Müller-Lüdenscheidt", ["Ada B. Stone", "Jörg Müller-Lüdenscheidt"]),
        ("Apollo Research blog", []),
        ("TYPE III AUDIO", []),
        ("The OpenAI team, Ada Stone", ["Ada Stone"]),
        ("Ada", []),
        ("many people of note", []),
        ("Stone et al.", []),
        ("", []),
    ],
)
def test_organisations_are_no_people(names: str, people: list[str]) -> None:
    assert list_people(names) == people


def test_lines_name_authors_and_narrators() -> None:
    text = (
        "Notes.\nAuthor(s): Ada Stone, Bo Reed.A podcast by Course.\n"
        "Narrated for Course the Forum by Cy Vale of TYPE III AUDIO.\nThe author: nobody in particular\n"
    )
    found = list_credits(text)
    assert [(credit.person, credit.role) for credit in found] == [
        ("Ada Stone", "author"),
        ("Bo Reed", "author"),
        ("Cy Vale", "narrator"),
    ]
    assert all(text[credit.place - 1 :].startswith(credit.person) for credit in found)


def test_an_abstract_is_alike_where_it_stands_nearly_unchanged() -> None:
    abstract = "we weigh small models of large seas and find that most of them float on what they were built of"
    assert abstract_similarity(abstract, f"before it {abstract} behind it") == 100
    assert abstract_similarity(abstract, abstract.replace("float", "swim")) > 90
    assert (
        abstract_similarity(abstract, "this is about something else entirely and shares few words with that one") < 60
    )
