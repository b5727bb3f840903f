import pytest

from medr_jax.eval.benchmarks import base, info, registry
from medr_jax.eval.benchmarks.base import BenchmarkItem

SECRET = "What is the colour of the secret?"


def items():
    return [
        BenchmarkItem(item_id="1", question=SECRET, gold="blue", groups={"level": "1"}),
        BenchmarkItem(item_id="2", question=SECRET, gold="blue", groups={"level": "2"}),
        BenchmarkItem(item_id="3", question=SECRET, gold="green", groups={"level": "2"}),
    ]


def test_printing_an_item_tells_nothing():
    for text in (repr(items()), str(items()[0]), f"{items()[0]}"):
        assert "secret" not in text and "blue" not in text and "33 characters" in text
    assert base.revealed(items()[0])["question"] == SECRET


def test_the_description_has_counts_and_no_text():
    facts = info.describe(registry.get("gaia"), items())
    text = " ".join(map(str, facts.values()))
    assert "secret" not in text and "blue" not in text and "green" not in text
    assert facts["questions"] == 3 and facts["by level"] == "1 1, 2 2"
    assert facts["majority baseline"].startswith("0.667")  # 2 of 3 say "blue"


def test_subsets_are_named():
    assert [item.item_id for item in base.select(items(), "level:2")] == ["2", "3"]
    assert len(base.select(items(), "all")) == 3
    with pytest.raises(ValueError, match=r"level:9.*level:1.*level:2"):
        base.select(items(), "level:9")
    with pytest.raises(ValueError, match="no items"):
        base.select(items(), "level:")


def test_the_version_follows_the_content():
    changed = [*items()[:2], BenchmarkItem(item_id="3", question=SECRET, gold="red")]
    assert base.version(items()) == base.version(items()) != base.version(changed)


def test_an_unknown_benchmark_lists_the_known():
    with pytest.raises(ValueError, match="medbrowsecomp"):
        registry.get("medbrowsecom")


@pytest.mark.parametrize("name", sorted(registry.BENCHMARKS))
def test_a_missing_file_is_told_what_was_expected(name, tmp_path):
    benchmark = registry.get(name)
    with pytest.raises(ValueError, match="expected") as caught:
        benchmark.load(tmp_path / "missing")
    assert benchmark.expected in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(registry.BENCHMARKS) - {"hpo_multihop"}))
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2]\n", b'{"a": ', b"a,b\n1,2\n"])
def test_garbage_is_told_what_was_expected(name, content, tmp_path):
    (tmp_path / "phenotype_mapping.json").write_text("{}")
    (tmp_path / "disease_mapping.json").write_text("{}")
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="expected"):
        registry.get(name).load(tmp_path / "file")
