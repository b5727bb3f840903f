"""Does a step fit a TPU slice? Asked of the TPU's compiler, on a machine without a TPU.

Each compilation is a process of its own and each answer an artifact: a compiler that dies is
reported, and a table that was interrupted goes on where it stopped.
"""

import enum
import importlib.metadata
import importlib.util
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import msgspec

from medr_jax import artifacts, console, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.launch import record
from medr_jax.launch.compile.programs import ProgramName, Settings
from medr_jax.launch.compile.topologies import Topology, parse_topology
from medr_jax.launch.compile.worker import VERSIONED, Request, Result
from medr_jax.sharding import MESH_AXES, MeshConfig

ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",  # of the absent host; the topology is given by name
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""Lets libtpu load where there is no TPU. Read when JAX is imported."""

RESULT = "result.json"
COMPILING = ("programs", "roofline", "topologies", "worker")
"""Modules beside this one that an answer depends on."""
ERROR_LINES = 12
"""Last lines of a dead compiler's output that are shown."""


class Effort(enum.Enum):
    """XLA's optimization level: O0 compiles fastest; the default of a TPU run is O1."""

    O0 = "O0"
    O1 = "O1"
    O2 = "O2"
    O3 = "O3"


@dataclass(kw_only=True, slots=True)
class CompileConfig:
    """What to compile for which slice, and what else lives in its memory."""

    topology: str = "v5p-128"  # a name, or <generation>:<grid of chips> such as v5p:2x2x2
    num_slices: int = 1  # joined by the data-centre network, along the data axis
    programs: list[ProgramName] = field(default_factory=lambda: list(ProgramName))
    effort: Effort = Effort.O1
    inference_dtype: str = "bfloat16"  # of stored parameters that are not trained
    # What else is in memory. The rl programs count all that an RL run holds by themselves.
    resident_kv_cache: bool = False  # the sampler's cache
    resident_reference: bool = False  # a reference policy's parameters
    resident_gib: float = 0.0  # also in memory: anything else, GiB per device
    timeout_s: float = 3600.0  # of one compilation

    def __post_init__(self) -> None:
        if not self.programs:
            names = ", ".join(program.value for program in ProgramName)
            raise ValueError(f"compile.programs is empty; list some of {names}")
        if self.inference_dtype not in ("float32", "bfloat16"):
            raise ValueError(
                f"compile.inference_dtype={self.inference_dtype}; use float32 or bfloat16"
            )
        if self.resident_gib < 0:
            raise ValueError(f"compile.resident_gib={self.resident_gib}: must not be negative")
        if self.timeout_s <= 0:
            raise ValueError(f"compile.timeout_s={self.timeout_s}: must be above 0")
        parse_topology(self.topology, self.num_slices)


@dataclass(kw_only=True, slots=True)
class Answer:
    """A request and what came of it: a result, or why there is none."""

    request: Request
    result: Result | None
    failure: str = ""  # the compiler's last words, when it died instead of answering

    @property
    def verdict(self) -> str:
        """fits, does not fit, or failed."""
        if self.result is None:
            return "failed"
        return "fits" if self.result.fits else "does not fit"


def make_request(config: SimpleNamespace, program: ProgramName) -> Request:
    """The request for one program, on the configured mesh or, where none is, the slice's own.

    Raises:
        ValueError: mesh, batch or model do not go with the slice; says which and what to do.
    """
    asked = config.compile
    topology = parse_topology(asked.topology, asked.num_slices)
    mesh = config.mesh
    if mesh == MeshConfig():
        rows = config.rl.row_length if program.reinforces else config.data.row_length
        mesh = topology.mesh(serve=program.serves, row_length=rows)
    settings = _settings(config, program)
    _check(topology, mesh, settings, program)
    return Request(
        program=program,
        topology=topology,
        mesh=mesh,
        settings=settings,
        optimization_level=asked.effort.value,
        resident_kv_cache=asked.resident_kv_cache,
        resident_reference=asked.resident_reference,
        resident_gib=asked.resident_gib,
    )


def _settings(config: SimpleNamespace, program: ProgramName) -> Settings:
    """RL has an optimizer, steps and a sampler of its own."""
    prefix = "rl_" if program.reinforces else ""
    return Settings(
        model=config.model,
        data=config.data,
        inference_dtype=config.compile.inference_dtype,
        rl=config.rl,
        **{name: getattr(config, prefix + name) for name in ("optimizer", "training", "sampling")},
    )


def _check(topology: Topology, mesh: MeshConfig, settings: Settings, program: ProgramName) -> None:
    sizes = {axis: getattr(mesh, axis) for axis in MESH_AXES}
    shown = " * ".join(f"{name}={size}" for name, size in sizes.items())
    if min(sizes.values()) < 1 or math.prod(sizes.values()) != topology.chips:
        raise ValueError(
            f"mesh: {shown} must use all {topology.chips} chips of {topology.name} "
            f"(compile.num_slices={topology.num_slices}); -1 is not understood here"
        )
    if settings.model.vocab_size < 1:
        raise ValueError("model.vocab_size=0: name the vocabulary size of what is to be compiled")
    shards = mesh.data * mesh.fsdp
    training, sampling = settings.training, settings.sampling
    rows, name = training.batch_rows // training.grad_accumulation, "training.batch_rows"
    if program.reinforces:
        rows, name = settings.rl.micro_rows, "rl.micro_rows"
    if program.samples:
        rows, name = sampling.num_slots, "sampling.num_slots"
    if rows % shards:
        raise ValueError(
            f"{name}: {rows} rows at once must be a multiple of mesh.data * mesh.fsdp = {shards}"
        )


def check(config: SimpleNamespace) -> list[Answer]:
    """Compiles every program of ``config.compile``; answers are kept under ``paths.artifacts``.

    Raises:
        ValueError: libtpu is not installed, or the configs do not fit each other.
    """
    requests = [make_request(config, program) for program in config.compile.programs]
    return [ask(request, config) for request in requests]


def ask(request: Request, config: SimpleNamespace) -> Answer:
    """One program's answer, compiled now unless that was done before with the same code."""
    if importlib.util.find_spec("libtpu") is None:
        raise ValueError(
            "compile_check needs the TPU compiler; it needs no TPU: pip install 'medr-jax[tpu]'"
        )
    title = f"{request.program.value} {request.topology.name}"
    try:
        with console.stage(title) as line:
            artifact = _artifact(request, config)
            (result,) = jsonl.read(artifact.path / RESULT, Result)
            answer = Answer(request=request, result=result)
            line["answer"] = answer.verdict
            line["reused" if artifact.reused else "in"] = str(artifact.path)
    except CompilerDied as problem:
        return Answer(request=request, result=None, failure=str(problem))
    record.link_artifact(config.run_dir, artifact)
    return answer


class CompilerDied(Exception):
    """The compiling process ended without an answer; the message holds its last words."""


def _artifact(request: Request, config: SimpleNamespace) -> Artifact:
    def build(path: Path) -> Outcome:
        result = run_worker(request, path, timeout_s=config.compile.timeout_s)
        return Outcome(content_hash="", counts={"fits": result.fits})

    return artifacts.get_or_build(
        config.paths.artifacts,
        "compile_check",
        config=msgspec.to_builtins(request),
        inputs={name: importlib.metadata.version(name) for name in VERSIONED},
        version=artifacts.code_version(
            *("medr_jax.models", "medr_jax.sharding", "medr_jax.sft", "medr_jax.training"),
            *("medr_jax.rl.batch", "medr_jax.rl.loss", "medr_jax.rl.step"),
            *("medr_jax.sampling", "medr_jax.launch.compile.programs"),
            *("medr_jax.launch.compile.worker", "medr_jax.launch.compile.roofline"),
            "medr_jax.launch.compile.topologies",
        ),
        build=build,
    )


def run_worker(request: Request, folder: Path, *, timeout_s: float) -> Result:
    """Compiles in another process and leaves ``result.json`` in ``folder``.

    Raises:
        CompilerDied: it ended without a result, or took longer than ``timeout_s``.
    """
    request_path, result_path = folder / "request.json", folder / RESULT
    jsonl.write(request_path, [request])
    command = [sys.executable, "-m", "medr_jax.launch.compile.worker"]
    log = folder / "compiler.log"
    with log.open("w", encoding="utf-8") as output:
        try:
            code = subprocess.run(
                [*command, str(request_path), str(result_path)],
                env=os.environ | ENVIRONMENT,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise CompilerDied(f"no answer within compile.timeout_s={timeout_s:g}") from None
    if code or not result_path.exists():
        words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = "\n".join(words[-ERROR_LINES:])
        raise CompilerDied(f"the compiler's process {_ending(code)}:\n{last}")
    log.unlink()
    (result,) = jsonl.read(result_path, Result)
    return result


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
