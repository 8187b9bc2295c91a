"""The report of a verdict: the same rows in every file, and nothing but text from others."""

import json
import socket
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from poetgen.comparison.report import save_verdict
from poetgen.comparison.results import Contender
from poetgen.comparison.rows import pair_rows, run_rows, sections
from poetgen.comparison.samples import shown_lines
from poetgen.comparison.sentences import findings
from tests.comparison.verdicts import MARKUP, chinese, english


class Page(HTMLParser):
    """The tags of a page, the cells of its tables, and all its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.rows, self.text = [], [], [], ""
        self._cell = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data


def saved(verdict):
    """Save the report; the page, the page that the Markdown becomes, and the values of the JSON."""
    save_verdict(verdict)
    read = {path.name: path.read_text(encoding="utf-8") for path in verdict.folder.iterdir()}
    of_markdown = MarkdownIt("commonmark", {"html": True}).enable("table").render(read["report.md"])
    return Page(read["report.html"]), Page(of_markdown), json.loads(read["report.json"]), read


@pytest.fixture(params=[chinese, english], ids=["chinese", "english"])
def verdict(request, tmp_path):
    return request.param(tmp_path)


def test_a_report_is_four_files(verdict):
    *_, read = saved(verdict)
    assert set(read) == {"report.json", "report.md", "report.html", "curves.svg"}
    assert "(curves.svg)" in read["report.md"]


def test_page_and_markdown_have_the_same_rows(verdict):
    page, markdown, _, _ = saved(verdict)
    wanted = [[row.label, *row.cells] for section in sections(verdict) for row in section.rows]
    wanted += [*pair_rows(verdict)[1], *run_rows(verdict)[1]]
    for found in (page.rows, markdown.rows):
        assert [row for row in found if row in wanted] == wanted
    assert {row[0] for row in markdown.rows} >= {section.title for section in sections(verdict)}


def test_the_json_is_the_verdict(verdict):
    _, _, values, _ = saved(verdict)
    assert values == json.loads(json.dumps(verdict.as_dict()))
    assert [one["name"] for one in values["contenders"]] == [one.name for one in verdict.contenders]


def test_findings_poems_and_the_command_are_in_both(verdict):
    page, markdown, _, _ = saved(verdict)
    for found in (page, markdown):
        assert verdict.command in found.text
        assert all(sentence in found.text for sentence in findings(verdict))
        for contender in verdict.contenders:
            for poem in contender.poems:
                assert all(line in found.text for line in shown_lines(poem))


def test_prose_is_called_samples_and_shown_as_excerpts(tmp_path):
    verdict = english(tmp_path)
    long = "It was not so " * 40
    writer = replace(verdict.contenders[0], poems=[long])
    page, markdown, values, _ = saved(replace(verdict, contenders=[writer]))
    for found in (page, markdown):
        assert "Samples from the same starts" in found.text
        assert "a sample, warm" in found.text
        assert "Poems from" not in found.text
        assert "a poem, warm" not in found.text
        assert " ".join(shown_lines(long)) in found.text
        assert long not in found.text
    assert values["contenders"][0]["poems"] == [long]


def test_markup_in_a_poem_and_in_a_name_is_text(tmp_path):
    verdict = chinese(tmp_path)
    strange = replace(verdict.contenders[0], name=MARKUP, poems=[MARKUP, "a\u202eb\x1b[2J"])
    others = verdict.contenders[1:]
    strange_verdict = replace(verdict, contenders=[strange, *others], differences=[])
    page, markdown, _, read = saved(strange_verdict)
    for found in (page, markdown):
        assert "script" not in found.tags
        assert MARKUP in found.text
        assert "a\ufffdb\ufffd[2J" in found.text
    assert "\x1b" not in read["report.html"] + read["report.md"] + read["report.json"]


def test_the_page_loads_nothing_and_runs_nothing(verdict):
    page, _, _, read = saved(verdict)
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    addresses = {
        value for _, name, value in page.attributes if name in ("src", "href", "xlink:href")
    }
    assert addresses == {"data:,"}
    assert "default-src 'none'" in read["report.html"]
    assert "@import" not in read["report.html"]
    assert "url(" not in read["report.html"]
    assert not any(name.startswith("on") for _, name, _ in page.attributes)


def test_on_a_phone_labels_stand_above_their_figures_and_take_no_column(verdict):
    narrow = saved(verdict)[3]["report.html"].partition("@media (max-width:34rem){")[2]
    rule = narrow.partition(".figures tr:not(.section)>:first-child{")[2].partition("}")[0]
    assert {"max-width:0", "vertical-align:top"} <= set(rule.split(";"))
    assert ".figures tbody td{padding-top:1.6rem}" in narrow


def test_no_report_names_the_host_or_the_user(verdict, monkeypatch):
    *_, read = saved(verdict)
    assert not any(socket.gethostname() in text for text in read.values())


def test_english_has_no_hanzi_in_any_report(tmp_path):
    *_, read = saved(english(tmp_path))
    for name in ("report.md", "report.html", "curves.svg"):
        assert "hanzi" not in read[name]


def test_a_report_is_there_before_the_first_run_ends_without_the_curves_of_an_older_one(tmp_path):
    waiting = [Contender("gru", "trained"), Contender("lstm", "trained")]
    early = replace(chinese(tmp_path), contenders=waiting, differences=[])
    saved(chinese(tmp_path))
    page, markdown, _, read = saved(early)
    assert set(read) == {"report.json", "report.md", "report.html"}
    assert "gru: not trained yet." in page.text
    assert "gru: not trained yet." in markdown.text


def test_the_same_verdict_gives_the_same_bytes(verdict):
    assert saved(verdict)[3] == saved(verdict)[3]
