"""Elements of an XML file, one at a time; entities and external references are refused."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException


def elements(path: Path, tag: str) -> Iterator[tuple[Element, Element]]:
    """(element, root) of every ``tag`` that is not inside another, each freed after its turn.

    ``.gz`` is unpacked on the way.

    Raises:
        ValueError: no such file, not well-formed, or it declares entities.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    opener = gzip.open if path.suffix == ".gz" else open
    root: Element | None = None
    depth = 0
    try:
        with opener(path, "rb") as content:
            events = defusedxml.ElementTree.iterparse(content, events=("start", "end"))
            for event, element in events:
                if root is None:
                    root = element
                if element.tag != tag:
                    continue
                depth += 1 if event == "start" else -1
                if event == "end" and depth == 0:
                    yield element, root
                    element.clear()
    except ParseError as error:
        raise ValueError(f"{path}: not well-formed XML: {error}") from error
    except DefusedXmlException as error:
        raise ValueError(f"{path}: refused: {error!r}") from error
    except (EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: not a whole gzip file: {error}") from error
