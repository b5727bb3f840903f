"""Content-addressed outputs of stages.

A stage writes ``<root>/<stage>/<key>/`` where ``key`` hashes what determines the output:
the stage's config, the content hashes of its inputs and its version. ``manifest.json`` is
renamed in last, so a directory without one is unfinished work that the next start resumes.
"""

import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import msgspec

from medr_jax import jsonl

MANIFEST = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished stage says about its output."""

    stage: str
    key: str
    version: str
    config: dict[str, Any]
    inputs: dict[str, str]
    content_hash: str  # of the decoded content; goes into the keys of later stages
    counts: dict[str, Any]  # what the console and the report show
    files: dict[str, str]  # relative name -> sha256
    seconds: float


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A finished stage output on disk."""

    path: Path
    manifest: Manifest
    reused: bool

    @property
    def content_hash(self) -> str:
        """Identity of the decoded content."""
        return self.manifest.content_hash


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``build`` function returns: the content's hash and counts worth showing."""

    content_hash: str
    counts: dict[str, Any]


def artifact_key(
    stage: str, config: Mapping[str, Any], inputs: Mapping[str, str], version: str
) -> str:
    """First 16 hex digits of the sha256 over all that determines the output."""
    identity = {"stage": stage, "config": config, "inputs": inputs, "version": version}
    return hashlib.sha256(jsonl.encode(identity)).hexdigest()[:16]


def code_version(*modules: str) -> str:
    """Hash of the source of modules or packages, as the version of a stage that is cheap to redo.

    Whoever edits the code of such a stage gets a new output; when its content comes out the
    same, the stages after it are reused all the same, for their keys hold the content's hash.
    """
    digest = hashlib.sha256()
    for module in sorted(modules):
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ValueError(f"{module}: no such module")
        origin = Path(spec.origin)
        files = sorted(origin.parent.rglob("*.py")) if spec.submodule_search_locations else [origin]
        for file in files:
            digest.update(file.relative_to(origin.parent).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def artifact_path(
    root: str | os.PathLike[str],
    stage: str,
    *,
    config: Any,
    inputs: Mapping[str, str],
    version: str,
) -> Path:
    """The folder in which ``get_or_build`` keeps, or would keep, this artifact."""
    return Path(root) / stage / artifact_key(stage, _plain(config), inputs, version)


def _plain(config: Any) -> dict[str, Any]:
    settings = dataclasses.asdict(config) if dataclasses.is_dataclass(config) else dict(config)
    return msgspec.to_builtins(settings)


def get_or_build(
    root: str | os.PathLike[str],
    stage: str,
    *,
    config: Any,
    inputs: Mapping[str, str],
    version: str,
    build: Callable[[Path], Outcome],
) -> Artifact:
    """The finished artifact for these inputs, built now if there is none.

    ``build(path)`` writes into ``path``, which may hold an earlier unfinished attempt of the
    same key. Concurrent builders of one key wait for each other.

    Raises:
        ValueError: a finished artifact's files are missing or changed.
    """
    settings = _plain(config)
    path = artifact_path(root, stage, config=config, inputs=inputs, version=version)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if (path / MANIFEST).exists():
            return load(path)
        path.mkdir(exist_ok=True)
        start = time.perf_counter()
        outcome = build(path)
        manifest = Manifest(
            stage=stage,
            key=path.name,
            version=version,
            config=settings,
            inputs=dict(inputs),
            content_hash=outcome.content_hash,
            counts=outcome.counts,
            files=_file_hashes(path),
            seconds=round(time.perf_counter() - start, 3),
        )
        jsonl.write(path / MANIFEST, [manifest])
        return Artifact(path=path, manifest=manifest, reused=False)


def load(path: str | os.PathLike[str]) -> Artifact:
    """A finished artifact, its files checked against the manifest.

    Raises:
        ValueError: it is unfinished, or a file is missing or was changed; says what to delete.
    """
    path = Path(path)
    if not (path / MANIFEST).exists():
        raise ValueError(f"{path}: no {MANIFEST}: the stage did not finish; run it again")
    (manifest,) = jsonl.read(path / MANIFEST, Manifest)
    found = _file_hashes(path)
    for name, digest in manifest.files.items():
        if found.get(name) != digest:
            state = "changed" if name in found else "missing"
            raise ValueError(
                f"{path / name}: {state} since {manifest.stage} wrote it; "
                f"delete the folder {path} and run the stage again"
            )
    return Artifact(path=path, manifest=manifest, reused=True)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder to write into, which becomes ``path`` when the block ends without an error.

    Raises:
        ValueError: ``path`` is there already, and not an empty folder.
    """
    path = Path(path).resolve()
    if path.is_file() or (path.is_dir() and any(path.iterdir())):
        raise ValueError(f"{path}: is there already; delete it, or name a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of an attempt that was killed
    partial.mkdir()
    try:
        yield partial
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _file_hashes(path: Path) -> dict[str, str]:
    hashes = {}
    for file in sorted(path.rglob("*")):
        # Tantivy leaves lock files of its own; they are not content.
        if file.is_file() and file.name != MANIFEST and file.suffix not in {".lock", ".partial"}:
            with file.open("rb") as data:
                digest = hashlib.file_digest(data, "sha256").hexdigest()
            hashes[file.relative_to(path).as_posix()] = digest
    return hashes
