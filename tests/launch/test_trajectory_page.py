"""The page of an RL run's rollouts, read as HTML and looked at in a browser."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from experiments import show_trajectories
from medr_jax.launch import trajectory_page
from medr_jax.rl.rewards import Terms
from medr_jax.rl.rollout import Rollout, dump
from medr_jax.testing.tokens import byte_tokenizer, make_question
from medr_jax.tokens.protocol import Role
from medr_jax.types import Answer, Hit, Status, ToolCall, ToolResult, Trajectory, Turn

EVIL = '</span><script>document.title="owned"</script><img src=x onerror=alert(1)>'
TOKENIZER = byte_tokenizer()


def make_rollout(group, number, *, right, status=Status.OK):
    """A question, a sampled call, its result, a sampled answer; the first answer byte is apart."""
    context, call = TOKENIZER.encode(f"what {EVIL}"), TOKENIZER.encode("find x")
    result, answer = TOKENIZER.encode(EVIL), TOKENIZER.encode("fbn1")
    parts = ((context, Role.USER), (call, Role.CALL), (result, Role.TOOL), (answer, Role.ANSWER))
    roles = np.concatenate([np.full(len(ids), role, np.int8) for ids, role in parts])
    mask = np.isin(roles, [Role.CALL, Role.ANSWER])
    logprobs = np.where(mask, -0.01, np.nan).astype(np.float32)
    logprobs[len(context)] = -5.0
    trainer = np.where(mask, logprobs, -1.0).astype(np.float32)
    trainer[-len(answer)] -= 0.5
    call = ToolCall(name="search", arguments={"query": EVIL})
    hit = Hit(doc_id="D1", title=f"Title {EVIL}", snippet=EVIL, label=1)
    turns = (
        Turn(thought=EVIL, calls=(call,), results=(ToolResult(status=Status.OK, hits=(hit,)),)),
        Turn(answer=Answer(text=f"fbn1 {EVIL}", citations=("D1",))),
    )
    terms = Terms(
        task=float(right), expert=0.25, efficiency=0.5, format=1.0, unsupported=0.0, right=right
    )
    return Rollout(
        group_id=group,
        rollout_id=f"{group}/{number}",
        trajectory=Trajectory(
            trajectory_id=f"{group}/{number}",
            question=make_question(f"which gene? {EVIL}", question_id=f"q {EVIL}"),
            turns=turns,
            status=status,
        ),
        token_ids=np.concatenate([np.array(ids, np.int32) for ids, _ in parts]),
        roles=roles,
        turns=np.zeros(len(roles), np.int32),
        loss_mask=mask,
        logprobs=logprobs,
        policy_versions=np.where(mask, 3, -1).astype(np.int32),
        terms=terms,
        reward=1.075,
        advantage=0.5 if right else -0.5,
        old_logprobs=trainer,
    )


@pytest.fixture
def run(tmp_path):
    """Two iterations: a mixed group and a wrong one, then a right one that was cut off."""
    folder = tmp_path / "0123"
    TOKENIZER.save(folder / "tokenizer")
    first = [make_rollout("000000.0.0", n, right=n == 0) for n in range(2)]
    first += [make_rollout("000000.0.1", n, right=False) for n in range(2)]
    second = [
        make_rollout("000005.0.0", 0, right=True),
        make_rollout("000005.0.0", 1, right=True, status=Status.TRUNCATED),
    ]
    dump(folder / "rollouts" / "000000.jsonl", first)
    dump(folder / "rollouts" / "000005.jsonl", second)
    return folder


class Page(HTMLParser):
    """Tags with attributes, and the rollouts and tokens with their classes."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.samples, self.groups = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        classes = set(attributes.get("class", "").split())
        if tag == "article":
            self.samples.append(classes)
        if "group" in classes:
            self.groups.append(classes)


def written(run, *arguments):
    assert show_trajectories.main([str(run), *arguments]) == 0
    return (run / "trajectories.html").read_text(encoding="utf-8")


def test_everything_is_shown_and_nothing_runs(run):
    text = written(run)
    page = Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "form"}
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert len(page.groups) == 3 and len(page.samples) == 6
    assert text.count("&lt;script&gt;") >= 6 * 5  # question, thought, query, hit, answer, tokens
    for shown in ("efficiency", "0.25", "1.07", "largest gap", "5.0e-01", "right, truncated"):
        assert shown in text


def test_tokens_are_coloured_by_mask_and_probability(run):
    rollout = make_rollout("g", 0, right=True)
    views = list(trajectory_page.token_views(rollout, TOKENIZER))
    assert "".join(view.text for view in views) == TOKENIZER.decode(rollout.token_ids)
    looks = [view.look for view in views]
    assert looks[0] == "context" and "title" not in views[0].title
    assert looks[1] == "trained unlikely" and "sampler -5.0000 nats, trainer -5.0000" in (
        views[1].title
    )
    assert looks[2] == "trained sure"
    assert [look for look in looks if "apart" in look] == ["trained sure apart"]
    assert sum(look.startswith("trained") for look in looks) == rollout.num_sampled


def test_filters_hide_what_is_not_chosen(run):
    text = written(run)
    page = Page(text)
    titles = re.findall(r'id="(f\dv\d)"> ([^<]+) <small>(\d+)', text)
    keys = {label: (key, int(count)) for key, label, count in titles}
    assert keys["right"][1] == 3 and keys["wrong"][1] == 3 and keys["truncated"][1] == 1
    assert keys["0"][1] == 2 and keys["5"][1] == 1  # groups of each iteration
    assert sum(keys["right"][0] in classes for classes in page.samples) == 3
    assert sum(keys["5"][0] in classes for classes in page.groups) == 1
    key = keys["right"][0]
    assert f"body:has(#{key}:checked) .sample:not(.{key})" in text
    assert f"body:has(#{key}:checked) .group:not(:has(.{key}))" in text


def test_a_run_directory_leads_to_its_artifact(run, tmp_path):
    directory = tmp_path / "runs"
    directory.mkdir()
    links = {"rl": {"path": str(run), "content_hash": "", "reused": False}}
    (directory / "artifacts.json").write_text(json.dumps(links))
    found = trajectory_page.find(directory)
    assert [path.stem for path in found.dumps] == ["000000", "000005"] and found.folder == run
    assert trajectory_page.find(run / "rollouts" / "000005.jsonl").folder == run


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda run: [str(run.parent)], "no dumped rollouts; run rl with rl.dump_every=1"),
        (lambda run: [str(run), "--iterations", "3"], "there are [0, 5]"),
        (lambda run: [str(run), "--groups", "0"], "--groups 0"),
    ],
)
def test_mistakes_are_named(run, make, message, capsys):
    assert show_trajectories.main(make(run)) == 2
    printed = capsys.readouterr()
    assert message in " ".join((printed.out + printed.err).split())


def test_rollouts_without_marks_are_shown_too(run):
    bare = make_rollout("g", 0, right=False, status=Status.INFRA_ERROR)
    bare.terms, bare.old_logprobs, bare.reward = None, None, float("nan")
    bare.trajectory = msgspec.structs.replace(bare.trajectory, turns=())
    dump(run / "rollouts" / "000009.jsonl", [bare])
    assert "infra error" in written(run, "--iterations", "9")


@pytest.mark.slow
def test_in_a_browser(run, tmp_path):
    """Laid out side by side, hostile text as text, a filter at work without a script."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no chromium on this machine")
    text = written(run)
    key = re.search(r'id="(f\dv\d)"> wrong', text)[1]
    chosen = text.replace(f'id="{key}"', f'id="{key}" checked')
    # Laid out by the browser itself: what a filter hides has no width.
    probe = (
        "<script>addEventListener('load', () => { document.title = JSON.stringify({"
        "seen: [...document.querySelectorAll('.sample')].filter(e => e.offsetWidth).length,"
        "tops: Math.max(...[...document.querySelectorAll('.group')].filter(e => e.offsetWidth)"
        ".map(g => new Set([...g.querySelectorAll('.sample')].filter(e => e.offsetWidth)"
        ".map(e => e.offsetTop)).size)),"
        "images: document.images.length}) })</script>"
    )
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    page = tmp_path / "page.html"
    page.write_text(policy.sub("", chosen).replace("</body>", probe + "</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout)[1]
    assert json.loads(title.replace("&quot;", '"')) == {"seen": 3, "tops": 1, "images": 0}
