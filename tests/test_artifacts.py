import dataclasses
import multiprocessing

import pytest

from medr_jax import artifacts


@dataclasses.dataclass
class Config:
    size: int = 1


def build_with(root, size=1, build=None, inputs=None, version="1"):
    def write(path):
        (path / "data.txt").write_text("x" * size)
        return artifacts.Outcome(content_hash=f"hash-{size}", counts={"size": size})

    return artifacts.get_or_build(
        root, "stage", config=Config(size), inputs=inputs or {}, version=version,
        build=build or write,
    )  # fmt: skip


def fail(path):
    raise AssertionError("must not be built again")


def test_second_start_reuses(tmp_path):
    first = build_with(tmp_path)
    second = build_with(tmp_path, build=fail)
    assert not first.reused and second.reused
    assert first.manifest == second.manifest


def test_config_inputs_and_version_make_other_artifacts(tmp_path):
    keys = {
        build_with(tmp_path).manifest.key,
        build_with(tmp_path, size=2).manifest.key,
        build_with(tmp_path, inputs={"graph": "abc"}).manifest.key,
        build_with(tmp_path, version="2").manifest.key,
    }
    assert len(keys) == 4


def test_unfinished_work_is_kept_and_resumed(tmp_path):
    def killed(path):
        (path / "part-0").write_text("done")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_with(tmp_path, build=killed)

    def resume(path):
        assert (path / "part-0").read_text() == "done"
        return artifacts.Outcome(content_hash="h", counts={})

    assert build_with(tmp_path, build=resume).manifest.files.keys() == {"part-0"}


@pytest.mark.parametrize("damage", ["change", "delete", "manifest"])
def test_damage_is_named_with_a_remedy(tmp_path, damage):
    path = build_with(tmp_path).path
    if damage == "change":
        (path / "data.txt").write_text("y")
        message = r"data\.txt: changed.*delete the folder"
    elif damage == "delete":
        (path / "data.txt").unlink()
        message = r"data\.txt: missing.*delete the folder"
    else:
        (path / "manifest.json").write_text("{")
        message = r"manifest\.json:1"
    with pytest.raises(ValueError, match=message):
        build_with(tmp_path)


def _build_slowly(root, queue):
    def write(path):
        queue.put("built")
        (path / "data.txt").write_text("x")
        return artifacts.Outcome(content_hash="h", counts={})

    artifacts.get_or_build(root, "stage", config={}, inputs={}, version="1", build=write)


def test_concurrent_builders_build_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_build_slowly, args=(tmp_path, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert queue.get(timeout=5) == "built"
    assert queue.empty()


def test_code_version_follows_the_source(tmp_path, monkeypatch):
    package = tmp_path / "sample_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    before = artifacts.code_version("sample_pkg")
    assert artifacts.code_version("sample_pkg") == before
    (package / "a.py").write_text("x = 2")
    assert artifacts.code_version("sample_pkg") != before
    with pytest.raises(ValueError, match="no_such_module"):
        artifacts.code_version("no_such_module")
