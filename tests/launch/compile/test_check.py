"""Requests, compilers that die, and what is written of their answers."""

import importlib.util
import json
from types import SimpleNamespace

import pytest

from medr_jax import jsonl
from medr_jax.launch.compile import check, matrix, report
from medr_jax.launch.compile.check import Answer, CompileConfig, CompilerDied, make_request
from medr_jax.launch.compile.programs import ProgramName
from medr_jax.launch.compile.roofline import roofline
from medr_jax.launch.compile.worker import Memory, Request, Result
from medr_jax.launch.stages import PathsConfig
from medr_jax.loader.pipeline import DataConfig
from medr_jax.rl.config import RLConfig
from medr_jax.sampling.engine import EngineConfig
from medr_jax.sharding import MeshConfig
from medr_jax.testing.models import small_config
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig


def configs(tmp_path=None, **changes) -> SimpleNamespace:
    parts = {
        "compile": CompileConfig(topology="v5e:2x2"),
        "model": small_config(),
        "mesh": MeshConfig(),
        "optimizer": OptimizerConfig(),
        "training": TrainingConfig(batch_rows=4),
        "data": DataConfig(row_length=16),
        "sampling": EngineConfig(num_slots=4, max_length=16),
        "rl": RLConfig(num_prompts=2, group_size=2, micro_rows=4, row_length=16),
        "rl_optimizer": OptimizerConfig(learning_rate=1e-6),
        "rl_training": TrainingConfig(num_steps=7),
        "rl_sampling": EngineConfig(num_slots=8, max_length=16),
        "paths": PathsConfig(artifacts=str(tmp_path)),
        "run_dir": tmp_path,
    }
    return SimpleNamespace(**parts | changes)


def result_of(request: Request, *, peak: int = 3, resident: int = 0, words: str = "") -> Result:
    sizes = {"parameters": 1, "optimizer": 1, "batch": 0, "kv_cache": 0, "temporaries": 1}
    memory = Memory(**sizes, peak=peak, aliased=0, resident=resident, limit=4)
    return Result(
        fits=not words and peak + resident <= 4,
        compiler_message=words,
        memory=None if words else memory,
        roofline=roofline(request.program, request.settings, request.mesh, request.topology),
        compile_s=1.0,
        versions={"jax": "0"},
    )


def test_a_request_survives_json(tmp_path):
    request = make_request(configs(), ProgramName.decode)
    assert request.mesh == MeshConfig(tensor=4)  # the slice's own
    jsonl.write(tmp_path / "request.json", [request])
    assert list(jsonl.read(tmp_path / "request.json", Request)) == [request]


def test_rl_programs_are_built_from_rl_s_own_configs(tmp_path):
    config = configs(mesh=MeshConfig(fsdp=4))
    for name in (ProgramName.rl, ProgramName.rl_score, ProgramName.rl_decode):
        request = make_request(config, name)
        settings = request.settings
        assert (settings.optimizer, settings.training, settings.sampling, settings.rl) == (
            *(config.rl_optimizer, config.rl_training, config.rl_sampling, config.rl),
        )
        jsonl.write(tmp_path / "request.json", [request])
        assert list(jsonl.read(tmp_path / "request.json", Request)) == [request]
        assert result_of(request).roofline.tokens == (8 if name is ProgramName.rl_decode else 64)
    config.rl.micro_rows = 3
    with pytest.raises(ValueError, match="rl.micro_rows: 3 rows at once"):
        make_request(config, ProgramName.rl)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mesh": MeshConfig(fsdp=2)}, "must use all 4 chips"),
        ({"mesh": MeshConfig(fsdp=-1)}, "-1 is not understood"),
        ({"mesh": MeshConfig(fsdp=4), "training": TrainingConfig(batch_rows=6)}, "batch_rows"),
        ({"model": small_config(vocab_size=0)}, "vocab_size=0"),
    ],
)
def test_configs_that_do_not_fit_each_other_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        make_request(configs(**changes), ProgramName.sft)


def test_slots_must_divide_over_the_mesh():
    config = configs(mesh=MeshConfig(data=4), sampling=EngineConfig(num_slots=6))
    with pytest.raises(ValueError, match="sampling.num_slots: 6 rows"):
        make_request(config, ProgramName.decode)
    make_request(config, ProgramName.sft)  # whose four rows do


@pytest.mark.parametrize(
    "wrong",
    [
        {"topology": "v5q"},
        {"programs": []},
        {"inference_dtype": "int8"},
        {"resident_gib": -1.0},
        {"timeout_s": 0.0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CompileConfig(**wrong)


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """``compiler(script)``: what runs in place of Python, as a shell script."""

    def install(script: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(check.sys, "executable", str(path))
        found = SimpleNamespace(name="libtpu")
        monkeypatch.setattr(check.importlib.util, "find_spec", lambda _: found)
        monkeypatch.setattr(check.importlib.metadata, "version", lambda _: "0")
        monkeypatch.setattr(check.artifacts, "code_version", lambda *_: "0")

    return install


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no such topology >&2; exit 3", "exit code 3:\nno such topology"),
        ("kill -KILL $$", "was ended by SIGKILL"),
        ("exit 0", "ended with exit code 0"),
        ("exec sleep 20", "no answer within compile.timeout_s=2"),
    ],
)
def test_a_compiler_that_dies_is_an_answer(compiler, tmp_path, script, words):
    compiler(script)
    config = configs(tmp_path, compile=CompileConfig(topology="v5e:2x2", timeout_s=2.0))
    answer = check.ask(make_request(config, ProgramName.sft), config)
    assert (answer.verdict, answer.result) == ("failed", None)
    assert words in answer.failure
    assert "**failed**" in report.markdown([answer])


def test_an_answer_is_kept_and_a_failure_is_not(compiler, tmp_path):
    config = configs(tmp_path)
    request = make_request(config, ProgramName.sft)
    compiler("exit 3")
    assert check.ask(request, config).verdict == "failed"
    words = "RESOURCE_EXHAUSTED: too large"
    jsonl.write(tmp_path / "answer", [result_of(request, words=words)])
    compiler(f'echo x >> {tmp_path}/runs; cp {tmp_path}/answer "$4"')
    for _ in range(2):
        answer = check.ask(request, config)
        assert answer.verdict == "does not fit"
        assert answer.result.compiler_message == words
    assert (tmp_path / "runs").read_text() == "x\n"


def test_the_compiler_gets_the_environment_of_an_absent_tpu(compiler, tmp_path):
    request = make_request(configs(), ProgramName.sft)
    compiler(f"env > {tmp_path}/seen; exit 3")
    with pytest.raises(CompilerDied):
        check.run_worker(request, tmp_path, timeout_s=20)
    seen = (tmp_path / "seen").read_text().splitlines()
    assert {"JAX_PLATFORMS=cpu", "TPU_SKIP_MDS_QUERY=1"} <= set(seen)


def test_without_libtpu_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install 'medr-jax\[tpu\]'"):
        check.check(configs(tmp_path))


def test_what_is_resident_counts():
    request = make_request(configs(), ProgramName.sft)
    assert Answer(request=request, result=result_of(request)).verdict == "fits"
    beside = result_of(request, resident=2)
    assert Answer(request=request, result=beside).verdict == "does not fit"
    shown = report.facts(beside)
    assert "  resident beside it" in shown


def test_the_json_of_an_answer(tmp_path):
    request = make_request(configs(), ProgramName.decode)
    answers = [
        Answer(request=request, result=result_of(request)),
        Answer(request=request, result=result_of(request, words="RESOURCE_EXHAUSTED: 3G of 2G")),
        Answer(request=request, result=None, failure="was ended by SIGKILL"),
    ]
    report.write_answers(tmp_path / "answers.jsonl", answers)
    fits, refused, failed = map(json.loads, (tmp_path / "answers.jsonl").read_text().splitlines())
    assert [line["verdict"] for line in (fits, refused, failed)] == [
        *("fits", "does not fit", "failed")
    ]
    assert set(fits) == {"verdict", "request", "result", "failure"}
    assert set(fits["result"]) == {
        *("fits", "compiler_message", "memory", "roofline", "compile_s", "versions")
    }
    assert fits["result"]["memory"]["peak"] == 3
    assert fits["request"]["topology"]["grid"] == "v5e:2x2"
    assert fits["result"]["roofline"]["model_flops"] > 0
    assert refused["result"]["memory"] is None
    assert refused["result"]["compiler_message"] == "RESOURCE_EXHAUSTED: 3G of 2G"
    assert failed["result"] is None
    table = report.markdown(answers).splitlines()
    assert len(table) == 5
    assert len({line.count("|") for line in table}) == 1  # no row is short of a column
    report.show(answers)


def test_the_matrix_asks_for_every_cell(tmp_path, monkeypatch):
    asked = []

    def ask(request, config):
        asked.append(request)
        return Answer(request=request, result=result_of(request))

    monkeypatch.setattr(matrix, "ask", ask)
    matrix.run_matrix(configs(sampling=EngineConfig(num_slots=64)), tmp_path / "out")
    assert len(asked) == 17
    lengths = {r.settings.data.row_length for r in asked}
    assert lengths == {r.settings.sampling.max_length for r in asked} == {8192, 32768}
    assert len((tmp_path / "out" / "matrix.jsonl").read_text().splitlines()) == 17
    assert (tmp_path / "out" / "matrix.md").read_text().count("| **fits** |") == 17
    assert "jax 0" in (tmp_path / "out" / "matrix.md").read_text()


@pytest.mark.slow
def test_the_real_compiler(tmp_path):
    """A small model fits four chips, and a cache of 64 GiB does not."""
    if importlib.util.find_spec("libtpu") is None:
        pytest.skip("needs the TPU compiler: pip install 'medr-jax[tpu]'")
    model = small_config(embed_dim=128, head_dim=64, mlp_dim=256, dtype="bfloat16")
    config = configs(
        tmp_path,
        model=model,
        data=DataConfig(row_length=128),
        compile=CompileConfig(topology="v5e:2x2", programs=[ProgramName.sft, ProgramName.decode]),
        sampling=EngineConfig(num_slots=1024, max_length=131072),
    )
    fits, does_not = check.check(config)
    assert fits.verdict == "fits", fits
    memory = fits.result.memory
    assert memory.parameters * 2 <= memory.optimizer < memory.parameters * 2.1
    assert memory.parameters + memory.optimizer < memory.peak < memory.limit
    # The new state takes the old one's place.
    assert memory.aliased >= memory.parameters + memory.optimizer
    assert does_not.verdict == "does not fit", does_not
    assert "RESOURCE_EXHAUSTED" in does_not.result.compiler_message
