"""Answers of the compiler for people: a paragraph each, a table of many, and JSON."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from medr_jax import console, jsonl
from medr_jax.launch.compile.check import Answer
from medr_jax.launch.compile.worker import Memory, Request, Result
from medr_jax.sharding import MESH_AXES

GIB = 2**30
SHOWN_WORDS = 400
"""Characters of a compiler's message in print; the JSON has all of it."""


def show(answers: Iterable[Answer]) -> None:
    """Prints each answer with its parts."""
    for answer in answers:
        console.say(f"\n{title(answer.request)}: {answer.verdict}")
        if answer.result is None:
            console.say(f"  {answer.failure}")
        else:
            console.facts(facts(answer.result))


def title(request: Request) -> str:
    """Program, slice, mesh and sizes in a line."""
    topology = request.topology
    slices = f" x {topology.num_slices} slices" if topology.num_slices > 1 else ""
    return (
        f"{request.program.value} on {topology.name}{slices} ({topology.chips} chips, "
        f"{mesh_text(request)}), {sizes_text(request)}"
    )


def mesh_text(request: Request) -> str:
    """Such as "fsdp 16, tensor 4"; axes of size 1 are left out."""
    sizes = {axis: getattr(request.mesh, axis) for axis in MESH_AXES}
    return ", ".join(f"{axis} {size}" for axis, size in sizes.items() if size > 1) or "one chip"


def sizes_text(request: Request) -> str:
    """Rows and their length, or slots and theirs."""
    settings = request.settings
    if request.program.samples:
        return f"{settings.sampling.num_slots} slots of {settings.sampling.max_length} tokens"
    if request.program.reinforces:
        rl = settings.rl
        return f"{rl.num_prompts} x {rl.group_size} rollouts of {rl.row_length} tokens"
    return f"{settings.training.batch_rows} rows of {settings.data.row_length} tokens"


def facts(result: Result) -> dict[str, object]:
    """Name -> value with its unit."""
    bound = result.roofline
    times = f"compute {bound.compute_s:.3g}, HBM {bound.hbm_s:.3g}, ICI {bound.ici_s:.3g}"
    shown: dict[str, object] = {}
    if result.compiler_message:
        shown["the compiler's words"] = result.compiler_message[:SHOWN_WORDS]
    if result.memory is not None:
        shown |= memory_facts(result.memory)
    return shown | {
        "model FLOPs": f"{bound.model_flops:.4g}",
        "executed FLOPs": f"{bound.hardware_flops:.4g}",
        "FLOPs formula": bound.formula,
        "step takes at least": f"{bound.step_s:.3g} s, bound by {bound.bound_by} ({times} s)",
        "tokens/s at most": f"{bound.tokens_per_s:,.0f}",
        "MFU at most": f"{bound.mfu_upper_bound:.3f}",
        "compiled in": f"{result.compile_s:g} s",
    }


def memory_facts(memory: Memory) -> dict[str, str]:
    """Bytes per device in GiB, the compiler's peak and its parts."""
    seen = {
        "parameters": memory.parameters,
        "optimizer": memory.optimizer,
        "KV cache": memory.kv_cache,
        "batch": memory.batch,
    }
    parts = {name: size for name, size in seen.items() if size}
    parts["all else at the peak"] = memory.peak - sum(seen.values())
    if memory.resident:
        parts["resident beside it"] = memory.resident
    peak = f"{_gib(memory.peak)} of {_gib(memory.limit)} GiB per device"
    return {"peak": peak} | {f"  {name}": f"{_gib(size)} GiB" for name, size in parts.items()}


def markdown(answers: Sequence[Answer]) -> str:
    """A table with one row an answer."""
    header = (
        *("slice", "mesh", "program", "batch", "verdict", "peak GiB/device", "of"),
        *("parameters", "optimizer", "KV cache", "all else", "step ≥ s", "bound by", "MFU ≤"),
        "compile s",
    )
    lines = [
        "| " + " | ".join(header) + " |",
        "|---|---|---|---|---|" + "---:|" * 7 + "---|---:|---:|",
    ]
    lines += ["| " + " | ".join(_row(answer)) + " |" for answer in answers]
    return "\n".join(lines) + "\n"


def _row(answer: Answer) -> list[str]:
    request, result = answer.request, answer.result
    row = [
        *(request.topology.name, mesh_text(request), request.program.value),
        *(sizes_text(request), f"**{answer.verdict}**"),
    ]
    if result is None:
        return row + ["–"] * 10
    memory, bound = result.memory, result.roofline
    sizes = ["–"] * 6
    if memory is not None:
        known = (memory.parameters, memory.optimizer, memory.kv_cache)
        rest = memory.peak - sum(known) - memory.batch
        sizes = [_gib(size) for size in (memory.peak, memory.limit, *known, rest)]
    mfu = f"{bound.mfu_upper_bound:.2f}"
    return [*row, *sizes, f"{bound.step_s:.3g}", bound.bound_by, mfu, f"{result.compile_s:.0f}"]


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """One line an answer: verdict, request, result or failure."""
    jsonl.write(path, [_plain(answer) for answer in answers])


def _plain(answer: Answer) -> dict[str, Any]:
    return {
        "verdict": answer.verdict,
        "request": answer.request,
        "result": answer.result,
        "failure": answer.failure,
    }


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"
