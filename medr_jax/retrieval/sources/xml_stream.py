"""Records of an XML file, one at a time, through defusedxml: no entities, nothing external."""

import xml.etree.ElementTree as etree
from collections.abc import Collection, Iterator
from pathlib import Path

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from medr_jax.retrieval.sources.base import UNREADABLE, Skipped, one_line, opened


def records(
    path: Path, tags: Collection[str], skipped: Skipped
) -> Iterator[tuple[str, etree.Element]]:
    """(where, element) for each element of these tags; the tree is emptied behind the reader.

    A file that breaks off, is malformed or declares entities gives what stands before the
    fault; the rest is counted as one skipped record.
    """
    for name, file in opened(path, skipped):
        number = 0
        try:
            events = defusedxml.ElementTree.iterparse(file, events=("start", "end"))
            root = None
            for event, element in events:
                root = element if root is None else root
                if event == "end" and element.tag in tags:
                    number += 1
                    yield f"{name}: record {number}", element
                    root.clear()
        except (etree.ParseError, DefusedXmlException, *UNREADABLE) as error:
            skipped.add(f"{name}: after record {number}", f"the rest cannot be read: {error}")


def text(element: etree.Element | None, skip: Collection[str] = ()) -> str:
    """All text below an element on one line, without that of elements in ``skip``."""
    if element is None:
        return ""
    if not skip:
        return one_line("".join(element.itertext()))
    parts: list[str] = []
    _collect(element, skip, parts)
    return one_line("".join(parts))


def _collect(element: etree.Element, skip: Collection[str], parts: list[str]) -> None:
    parts.append(element.text or "")
    for child in element:
        if child.tag not in skip:
            _collect(child, skip, parts)
        parts.append(child.tail or "")
