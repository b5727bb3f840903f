import base64
import hashlib
import re
from html.parser import HTMLParser

import jinja2
import pytest

from medr_jax.pages import charts, figures, render
from medr_jax.pages.views import (
    CallView,
    CellView,
    HitView,
    ReportView,
    RolloutView,
    RowView,
    TableView,
    TurnView,
)

EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Tags(HTMLParser):
    """Every tag with its attributes, and the text outside of <style>."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.style, self._in = [], "", "", ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag):
        self._in = ""

    def handle_data(self, data):
        if self._in == "style":
            self.style += data
        else:
            self.text += data


def report_with(text):
    """A report that shows ``text`` wherever text can come from outside."""
    hit = HitView(label=1, title=text, kind=text, snippet=text, marks=[text])
    call = CallView(name=text, arguments=[(text, text)], status=text, message=text, hits=[hit])
    rollout = RolloutView(
        question=text,
        facts=text,
        turns=[TurnView(thought=text, calls=[call], error=text)],
        answer=text,
        gold=text,
        citations=[text],
        verdict=text,
        right=False,
    )
    cell = CellView(value=text, interval=text, n=text, low=10.0, at=20.0, high=30.0)
    chart = charts.line_chart(
        [charts.Series(name=text, points=[(0, 1), (1, 2)])], x_label=text, y_label=text
    )
    return ReportView(
        title=text,
        lead=text,
        caveats=[text],
        tables=[
            TableView(
                anchor="t",
                title=text,
                columns=[text],
                rows=[
                    RowView(label=text, cells=[cell]),
                    RowView(label="x", cells=[CellView(value=text)]),
                ],
                notes=[text],
                lead=text,
            )
        ],
        curves=[(text, chart)],
        figure=figures.chain_figure(
            [figures.ClueSpec(relation=text, text=text)],
            [
                figures.StepSpec(name=text, kind=text, neighbours=[text]),
                figures.StepSpec(name=text, kind=text, relation=text),
            ],
        ),
        figure_question=text,
        figure_answer=text,
        rollouts=[rollout],
        facts={text: {text: text}},
    )


@pytest.fixture(scope="module")
def evil_page():
    return render.render("report.html.j2", report=report_with(EVIL))


def test_no_text_from_outside_becomes_markup(evil_page):
    tags = Tags(evil_page)
    names = {tag for tag, _ in tags.found}
    assert not names & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert not any(name.startswith("on") for _, attrs in tags.found for name in attrs)
    assert tags.text.count("<script>alert(1)</script>") > 20  # shown as text, everywhere


def test_nothing_is_fetched_and_no_style_attribute_needs_permission(evil_page):
    tags = Tags(evil_page)
    for _, attrs in tags.found:
        assert "src" not in attrs and "style" not in attrs
        assert attrs.get("href", "#").startswith("#")
    assert "url(" not in tags.style and "@import" not in tags.style


def test_policy_allows_exactly_the_style_that_is_there(evil_page):
    tags = Tags(evil_page)
    (policy,) = (
        attrs["content"]
        for tag, attrs in tags.found
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    digest = base64.b64encode(hashlib.sha256(tags.style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_control_characters_do_not_reach_the_page():
    page = render.render("report.html.j2", report=report_with("a\x00b\x1b\ud800c"))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", page)
    assert "a\ufffdb\ufffd\ufffdc" in page
    page.encode("utf-8")  # a lone surrogate would raise


def test_a_missing_value_is_an_error_and_not_a_gap():
    with pytest.raises(jinja2.UndefinedError):
        render.render("report.html.j2")


def test_not_run_has_no_bar():
    table = TableView(
        anchor="t",
        title="t",
        columns=["c"],
        rows=[RowView(label="r", cells=[CellView(value="not run")])],
    )
    page = render.render(
        "report.html.j2", report=ReportView(title="t", lead="", caveats=[], tables=[table])
    )
    assert '<td class="none">not run</td>' in page
    assert "bar-at" not in page.split("</style>")[1]
