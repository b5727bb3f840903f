"""Machine-readable metadata and a datasheet for an exported set of trajectories.

The metadata are Croissant 1.0 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html); the
datasheet answers the questions of Gebru et al., "Datasheets for Datasets" (arXiv:1803.09010), as
far as this software knows the answers.
"""

from collections.abc import Mapping
from typing import Any

from medr_jax.data.card import STATEMENT

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
_TERMS = (
    *("column", "extract", "field", "fileObject", "format", "jsonPath", "key", "recordSet"),
    *("references", "repeated", "source", "transform", "isLiveDataset", "citeAs"),
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


def metadata(
    files: Mapping[str, tuple[str, int]],
    columns: Mapping[str, str],
    facts: Mapping[str, Any],
    *,
    version: str,
) -> dict[str, Any]:
    """The Croissant description of JSONL files.

    ``files``: name -> (sha256, bytes). ``columns``: column -> what it holds. ``facts`` come from
    the dataset; ``licences`` and ``content_hash`` are used here.
    """
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": "medr_trajectories",
        "description": STATEMENT,
        "conformsTo": CONFORMS_TO,
        "license": list(facts.get("licences", ())),
        "version": version,
        "isLiveDataset": False,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "encodingFormat": "application/jsonlines",
                "contentSize": f"{size} B",
                "sha256": digest,
            }
            for name, (digest, size) in files.items()
        ],
        "recordSet": [_record_set(name, columns) for name in files],
    }


def _record_set(file: str, columns: Mapping[str, str]) -> dict[str, Any]:
    name = file.partition(".")[0]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/id"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": column,
                "description": holds,
                "dataType": "sc:Text",
                "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
            }
            for column, holds in columns.items()
        ],
    }


def datasheet(
    counts: Mapping[str, int], columns: Mapping[str, str], facts: Mapping[str, Any]
) -> str:
    """The datasheet as Markdown; what is not known says so."""
    sizes = ", ".join(f"{count:,} in {split}" for split, count in counts.items())
    held = "\n".join(f"- `{column}`: {holds}" for column, holds in columns.items())
    licences = "\n".join(f"- {licence}" for licence in facts.get("licences", ())) or "- unknown"
    teacher = facts.get("teacher", "a scripted expert")
    graph_hash, index_hash = facts.get("graph_hash", "?"), facts.get("index_hash", "?")
    flawed = facts.get("share_with_mistakes")
    flaws = (
        f"{flawed:.1%} of the training demonstrations hold a mistake made on purpose, labelled in "
        "the original records"
        if flawed
        else "no demonstration holds a mistake made on purpose"
    )
    return f"""# Datasheet

## Motivation
Made to train and to measure agents that search a closed set of medical documents.

## Composition
{sizes}; each a question, an agent's turns with its tool calls, and their results.

{held}

Snapshot: {facts.get("snapshot", "unknown")}. {STATEMENT} No person's data are in it: the graph
holds counts over published patients. Of its flaws: {flaws}.

## Collection
By software: questions from a knowledge graph, trajectories by {teacher}
over the live index (graph {graph_hash[:12]}, index {index_hash[:12]}).
No people were asked or paid, and no clinician has reviewed it.

## Preprocessing
Trajectories with malformed calls, loops, wrong or unsupported answers and near-duplicates were
dropped; the data card beside the original dataset counts them by reason. Content hash
{facts.get("content_hash", "?")[:12]}.

## Uses
Training and evaluation of research agents. Not for clinical use, not a source of medical facts.

## Distribution
Under the terms of its sources, which the text of questions and documents comes from:

{licences}

## Maintenance
The command that made it makes it again; a new snapshot is a new dataset.
"""
