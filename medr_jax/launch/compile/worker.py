"""Compiles one program for a TPU that is not there. Runs as a process of its own.

    python -m medr_jax.launch.compile.worker request.json result.json

The compiler may take the whole process down, and reads its settings from the environment
before JAX is imported: ``compile_check`` starts this file with ``ENVIRONMENT``.
"""

import dataclasses
import importlib.metadata
import sys
import time
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies

from medr_jax import jsonl
from medr_jax.launch.compile.programs import (
    PROGRAMS,
    Program,
    ProgramName,
    Settings,
    bytes_per_device,
    inference_params,
    kv_cache,
)
from medr_jax.launch.compile.roofline import Roofline, roofline
from medr_jax.launch.compile.topologies import Topology
from medr_jax.sharding import MeshConfig, make_mesh

OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"


@dataclasses.dataclass(kw_only=True, slots=True)
class Request:
    """Everything that determines a result."""

    program: ProgramName
    topology: Topology
    mesh: MeshConfig
    settings: Settings
    optimization_level: str
    resident_kv_cache: bool = False
    resident_reference: bool = False
    resident_gib: float = 0.0


@dataclasses.dataclass(kw_only=True, slots=True)
class Memory:
    """Bytes on each device."""

    parameters: int
    optimizer: int
    batch: int
    kv_cache: int
    peak: int  # the compiler's peak_memory_in_bytes: arguments included
    temporaries: int  # the compiler's: activations, gradients, gathered weights
    aliased: int  # results that take the place of arguments
    resident: int  # what this program does not see but must share the device with
    limit: int  # what the compiler lets a program use


@dataclasses.dataclass(kw_only=True, slots=True)
class Result:
    """What one compilation said."""

    fits: bool
    compiler_message: str  # its own words when it refuses, else ""
    memory: Memory | None  # None when the compiler refused
    roofline: Roofline
    compile_s: float
    versions: dict[str, str]


def compile_program(request: Request) -> Result:
    """Compiles and weighs; out of memory is a result, any other failure is raised."""
    slices = {"num_slices": request.topology.num_slices} if request.topology.num_slices > 1 else {}
    described = topologies.get_topology_desc(
        platform="tpu", topology_name=request.topology.grid, **slices
    )
    mesh = make_mesh(request.mesh, described.devices)
    memory, message = None, ""
    with jax.set_mesh(mesh):
        program = PROGRAMS[request.program](request.settings, mesh)
    with jax.set_mesh(program.mesh or mesh):
        start = time.perf_counter()
        lowered = program.step.lower(*program.arguments)
        try:
            compiled = lowered.compile(
                compiler_options={"optimization_level": request.optimization_level}
            )
        except jax.errors.JaxRuntimeError as problem:
            message = str(problem)
            if OUT_OF_MEMORY not in message:
                raise
        else:
            memory = _weigh(request, program, compiled.memory_analysis(), mesh)
        seconds = time.perf_counter() - start
    return Result(
        fits=memory is not None and memory.peak + memory.resident <= memory.limit,
        compiler_message=message,
        memory=memory,
        roofline=roofline(request.program, request.settings, request.mesh, request.topology),
        compile_s=round(seconds, 1),
        versions={name: importlib.metadata.version(name) for name in VERSIONED},
    )


VERSIONED = ("jax", "jaxlib", "libtpu", "flax", "optax")


def _weigh(request: Request, program: Program, analysis: Any, mesh: jax.sharding.Mesh) -> Memory:
    resident = int(request.resident_gib * 2**30)
    if request.resident_kv_cache:
        resident += bytes_per_device(kv_cache(request.settings, mesh))
    if request.resident_reference:
        resident += bytes_per_device(inference_params(request.settings, mesh))
    resident += sum(map(bytes_per_device, program.beside.values()))
    names = ("parameters", "optimizer", "batch", "kv_cache")
    return Memory(
        **{name: bytes_per_device(program.parts.get(name)) for name in names},
        peak=analysis.peak_memory_in_bytes,
        temporaries=analysis.temp_size_in_bytes,
        aliased=analysis.alias_size_in_bytes,
        resident=resident,
        limit=int(request.topology.chip.hbm_gib * 2**30),
    )


def main(request_path: str, result_path: str) -> None:
    """Reads a request, writes its result."""
    (request,) = jsonl.read(Path(request_path), Request)
    jsonl.write(Path(result_path), [compile_program(request)])


if __name__ == "__main__":
    main(*sys.argv[1:])
