import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from medr_jax.artifacts import Artifact, Manifest
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import graph_page
from medr_jax.pages import render
from medr_jax.pages.filters import filter_style
from medr_jax.types import (
    Answer,
    Chain,
    Clue,
    Edge,
    Entity,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    Trajectory,
    Turn,
)

EVIL = '<script>alert(1)</script>"><img src=x>'


def row(number, specialties, hops):
    chain = Chain(
        clues=(Clue(relation=Relation.HAS_PHENOTYPE, entity_id="P1", text=f"clue {EVIL}"),),
        hops=hops,
        seed_id="D1",
        optimal=False,
    )
    question = Question(
        question_id=f"q{number}",
        text=f"Which one? {EVIL}",
        chain=chain,
        num_hops=1 + len(hops),
        answer="Answer",
        answer_id=hops[-1].target_id if hops else "D1",
        answer_kind=Kind.DISEASE,
        specialties=specialties,
        proof={"start_matches": 1, "hop_candidates": [1, 2]},
    )
    return Trajectory(
        trajectory_id=f"t{number}",
        question=question,
        turns=(Turn(thought="so", answer=Answer(text="Answer")),),
        status=Status.OK,
    )


@pytest.fixture
def page():
    graph = KnowledgeGraph.from_records(
        [
            Entity(id="D1", kind=Kind.DISEASE, name=f"Disease {EVIL}"),
            Entity(id="D2", kind=Kind.DISEASE, name="Other"),
            Entity(id="G1", kind=Kind.GENE, name="GENE1"),
            Entity(id="P1", kind=Kind.PHENOTYPE, name="Finding"),
        ],
        [
            Edge(source="D1", relation=Relation.HAS_PHENOTYPE, target="P1", licence="L"),
            Edge(source="D1", relation=Relation.ASSOCIATED_GENE, target="G1", licence="L"),
            Edge(source="D2", relation=Relation.ASSOCIATED_GENE, target="G1", licence="L"),
        ],
        snapshot="T 1",
    )
    gene = Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id="G1")
    back = Hop(relation=Relation.ASSOCIATED_GENE, source_id="G1", target_id="D2", inverse=True)
    rows = [
        row(1, ("neurology", "skin_and_hair"), ()),
        row(2, ("neurology",), (gene, back)),
        row(3, (), (gene,)),
    ]
    manifest = Manifest(
        stage="synthesis", key="k", version="v", config={}, inputs={}, content_hash="",
        counts={"test": 3}, files={}, seconds=0.0,
    )  # fmt: skip
    dataset = Artifact(path=Path("."), manifest=manifest, reused=True)
    filters = graph_page._filters([one.question for one in rows])
    view = graph_page._view(graph, dataset, rows, filters, "test")
    return filters, render.render(
        "graph.html.j2", extra_style=filter_style(filters, "question"), page=view
    )


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_every_filter_hides_exactly_the_others(page):
    filters, text = page
    assert {title: {one.label: one.count for one in found} for title, found in filters.items()} == {
        "Hops": {"1": 1, "2": 1, "3": 1},
        "Specialty": {"neurology": 2, "none": 1, "skin and hair": 1},
    }
    sections = {
        attrs["id"]: set(attrs["class"].split())
        for tag, attrs in Tags(text).found
        if tag == "section" and "question" in attrs.get("class", "")
    }
    assert list(sections) == ["q1", "q2", "q3"]
    rules = dict(re.findall(r"body:has\(#(\w+):checked\) .question:not\(\.(\w+)\)", text))
    radios = [attrs for tag, attrs in Tags(text).found if tag == "input"]
    assert {one["id"] for one in radios if "id" in one} == set(rules)
    assert len([one for one in radios if "checked" in one]) == 2  # "all" of either
    keys = {one.label: one.key for found in filters.values() for one in found}
    assert all(rules[key] == key for key in keys.values())
    shown = {label: {q for q, has in sections.items() if key in has} for label, key in keys.items()}
    assert shown["neurology"] == {"q1", "q2"} and shown["3"] == {"q2"} and shown["none"] == {"q3"}


def test_the_page_runs_nothing_and_shows_everything(page):
    _, text = page
    tags = {tag for tag, _ in Tags(text).found}
    assert not tags & {"script", "img", "link", "iframe", "form"}
    assert text.count("&lt;script&gt;") > 5
    assert "default-src &#39;none&#39;" in text and "unsafe" not in text
    assert "no, budget hit" in text and "hop candidates" in text and "1, 2" in text
    assert "is associated with the disease" in text  # gene -> disease, against the edge
    assert text.count('class="network"') == 3


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROBE = """<script>
const shown = () => [...document.querySelectorAll(".question")]
  .filter(one => getComputedStyle(one).display !== "none").map(one => one.id);
const seen = {all: shown()};
const groups = [...document.querySelectorAll("fieldset")]
  .map(one => [...one.querySelectorAll("input")]);
for (const one of groups[0]) for (const other of groups[1]) {
  one.click(); other.click(); seen[one.id + "+" + other.id] = shown();
}
document.body.dataset.seen = JSON.stringify(seen);
</script></body>"""


def opened(path, text):
    """The page's tags after a real browser has loaded it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"needs a browser: one of {', '.join(BROWSERS)}")
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Tags(done.stdout).found


def test_in_a_browser_every_pair_of_filters_shows_what_has_both(page, tmp_path):
    filters, text = page
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    assert policy.search(text)
    body = dict(opened(tmp_path / "p.html", policy.sub("", text).replace("</body>", PROBE)))["body"]
    seen = json.loads(body["data-seen"])
    assert seen.pop("all") == ["q1", "q2", "q3"]
    keys = {one.key: one.label for found in filters.values() for one in found}
    wanted = {
        "q1": ("1", "neurology", "skin and hair"),
        "q2": ("3", "neurology"),
        "q3": ("2", "none"),
    }
    assert len(seen) == 4 * 4
    for pair, shown in seen.items():
        labels = [keys[key] for key in pair.split("+") if key]
        assert shown == [q for q, has in wanted.items() if set(labels) <= set(has)], pair


def test_in_a_browser_a_script_that_got_in_does_not_run(page, tmp_path):
    _, text = page
    body = dict(opened(tmp_path / "p.html", text.replace("</body>", PROBE)))["body"]
    assert "data-seen" not in body
