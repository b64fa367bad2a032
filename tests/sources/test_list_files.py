"""Files of reference managers and JSON lists that are damaged in one place: the rest is read, and nothing is lost."""

from __future__ import annotations

import json

import pytest

from orchestration.sources.source import DocumentRefused
from tests.sources.test_lists import list_reasons, list_values, take

RIS = "TY  - JOUR\nTI  - A study of {name}\nAU  - Byron, Ada\nPY  - 2024\n"
END = "ER  - \n\n"


def test_ris_entries_without_an_end_are_read_with_a_note() -> None:
    text = RIS.format(name="eels") + RIS.format(name="cods") + END + RIS.format(name="rays").rstrip()
    parsed = take(text, "list.ris")
    assert list_values(parsed, "title", "reading_note") == [
        ("A study of eels", "RIS: no end of the entry"),
        ("A study of cods", None),
        ("A study of rays", "RIS: no end of the entry"),
    ]
    assert not parsed.rejects


def test_text_outside_of_ris_entries_is_rejected() -> None:
    lost = "TI  - A study without a beginning\nPY  - 2024\nER  - \n"
    parsed = take(
        f"Provider: A service\n\n{RIS.format(name='eels')}{END}{lost}{RIS.format(name='cods')}{END}", "list.ris"
    )
    assert list_values(parsed, "title", "reading_note") == [("A study of eels", None), ("A study of cods", None)]
    assert list_reasons(parsed) == [
        "row 2: RIS: text outside of the entries",
        "row 4: RIS: text outside of the entries",
    ]
    assert [reject.is_fault for reject in parsed.rejects] == [False, True]
    assert "A study without a beginning" in parsed.rejects[1].raw_text


def test_broken_bibtex_entry_takes_no_other_with_it() -> None:
    for broken in (
        "@article{toads, title={A study of toads, author={Byron, Ada}, year=2024}\n",
        "@article{toads, title={A study of {toads, year=2024\n",
        "@article{toads, title {A study of toads}}\n",
    ):
        text = "@string{{me = {{Ada Byron}}}}\n@article{{eels, title={{A study of eels}}, author=me}}\n{0}@misc{{cods, title={{A study of cods}}}}\n"
        parsed = take(text.format(broken), "list.bib")
        assert list_values(parsed, "title", "authors") == [
            ("A study of eels", "Ada Byron"),
            ("A study of cods", None),
        ]
        (reject,) = parsed.rejects
        assert reject.reason.startswith("BibTeX, in the entry from line 3: syntax error: ")
        assert "A study of" in reject.raw_text


def test_bibtex_name_that_is_not_declared_costs_its_value_only() -> None:
    parsed = take("@misc{eels, title={A study of eels}, year=2024, month=janvier}\n", "list.bib")
    assert list_values(parsed, "title", "date_precision") == [("A study of eels", "year")]
    assert "undefined string" in str(parsed.records[0].values["reading_note"])
    assert not parsed.rejects


def test_bibtex_keywords_are_separated_by_commas_or_as_declared() -> None:
    text = (
        "@misc{eels, title={A study of eels}, author={Byron, Ada and Berg, Bo}, keywords={Probes, Red teams; Audits}}\n"
    )
    assert list_values(take(text, "list.bib"), "categories") == [("Probes; Red teams; Audits",)]
    declared = take(text.replace(";", ","), "list.bib", separator="/")
    assert list_values(declared, "categories", "authors") == [("Probes, Red teams, Audits", "Ada Byron; Bo Berg")]


def test_json_element_that_is_no_object_is_one_reject() -> None:
    papers = [{"title": f"A study of {name}", "lab": "METR", "category": "Probes"} for name in ("eels", "cods")]
    parsed = take(json.dumps([5, *papers, None]), "list.json")
    assert list_values(parsed, "title") == [("A study of eels",), ("A study of cods",)]
    assert list_reasons(parsed) == [
        "row 2: element 1 of the JSON list is no object but 5",
        "row 5: element 4 of the JSON list is no object but null",
    ]
    assert len(take(json.dumps({"papers": [*papers, "end"]}), "list.json").records) == 2


def test_files_and_notes_of_a_zotero_export_are_out_of_scope() -> None:
    header = "Key,Item Type,Author,Title,Url,Date,Manual Tags\n"
    rows = [
        f"A{number},{kind},,A study of {kind},https://example.org/{number},2024,Probes\n"
        for number, kind in enumerate(("journalArticle", "attachment", "note", "annotation"))
    ]
    parsed = take(header + "".join(rows), "library.csv")
    assert list_values(parsed, "title") == [("A study of journalArticle",)]
    assert [(reject.reason, reject.is_fault) for reject in parsed.rejects] == [
        (f"item of the type “{kind}”: no publication", False) for kind in ("attachment", "note", "annotation")
    ]


ZOTERO = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:z="http://www.zotero.org/namespaces/export#"
 xmlns:dcterms="http://purl.org/dc/terms/" xmlns:bib="http://purl.org/net/biblio#" xmlns:foaf="http://xmlns.com/foaf/0.1/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:link="http://purl.org/rss/1.0/modules/link/">
 <bib:Article rdf:about="http://arxiv.org/abs/2301.00001">
  <z:itemType>preprint</z:itemType>
  <bib:authors><rdf:Seq>
   <rdf:li><foaf:Person><foaf:surname>Byron</foaf:surname><foaf:givenName>Ada</foaf:givenName></foaf:Person></rdf:li>
   <rdf:li><foaf:Person><foaf:surname>A Lab</foaf:surname></foaf:Person></rdf:li>
  </rdf:Seq></bib:authors>
  <link:link rdf:resource="#item_2"/>
  <dc:subject>Robustness</dc:subject>
  <dc:subject><z:AutomaticTag><rdf:value>Evals</rdf:value></z:AutomaticTag></dc:subject>
  <dc:title>A study of
   eels</dc:title>
  <dcterms:abstract>We study eels.</dcterms:abstract>
  <dc:date>2023-01-02</dc:date>
  <dc:description>arXiv:2301.00001 [cs]</dc:description>
 </bib:Article>
 <z:Attachment rdf:about="#item_2"><z:itemType>attachment</z:itemType><dc:title>Full text</dc:title></z:Attachment>
 <bib:Article rdf:about="#item_3">
  <z:itemType>journalArticle</z:itemType>
  <dcterms:isPartOf><bib:Journal><dc:title>Fish</dc:title><dc:identifier>DOI 10.1000/cods</dc:identifier>
   <dc:identifier>ISSN 1234-5678</dc:identifier></bib:Journal></dcterms:isPartOf>
  <dc:title>A study of cods</dc:title>
  <dc:identifier><dcterms:URI><rdf:value>https://example.org/cods</rdf:value></dcterms:URI></dc:identifier>
 </bib:Article>
 <bib:Memo rdf:about="#item_4"><rdf:value>A note</rdf:value></bib:Memo>
 <z:Collection rdf:about="#collection_1"><dc:title>Fish</dc:title></z:Collection>
</rdf:RDF>"""


def test_items_of_zoteros_rdf_are_read_without_attachments_and_journals() -> None:
    parsed = take(ZOTERO, "library.rdf")
    assert list_values(parsed, "title", "authors", "categories", "url", "other_links") == [
        ("A study of eels", "Ada Byron; A Lab", "Robustness; Evals", "https://arxiv.org/abs/2301.00001", None),
        ("A study of cods", None, None, "https://doi.org/10.1000/cods", "https://example.org/cods"),
    ]
    assert parsed.records[0].values["list"] == "library"
    assert str(parsed.records[0].values["published_on"]) == "2023-01-02"
    assert parsed.records[0].values["abstract"] == "We study eels."
    assert not parsed.rejects


def test_rdf_that_is_cut_or_has_entities_is_refused_or_read_as_it_is() -> None:
    with pytest.raises(DocumentRefused, match="not well formed"):
        take(ZOTERO[: len(ZOTERO) // 2], "library.rdf")
    bomb = '<!DOCTYPE r [<!ENTITY a "eels">]>' + ZOTERO.replace("We study eels.", "We study &a;.")
    (first, _) = take(bomb, "library.rdf").records
    assert "eels" not in str(first.values["abstract"])
