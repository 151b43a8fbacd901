"""Reads an XML delivery record by record: never more than one record in memory, never an entity or a reference.

The parser refuses every document type declaration, so that no file can unfold without limit or fetch another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from defusedxml import ElementTree  # type: ignore[import-untyped]
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]

from domain.errors import DeliveryRefused
from feeds import delimited
from feeds.deliveries import Fault

NEXT: Final = "Nothing of it was taken, and the list in force stays; have it delivered again whole."
DEPTH_MAX: Final = 32
"""No list nests its elements deeper than a handful."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a document: its place (from 1), its tag and element, and the attributes of the root."""

    place: int
    tag: str
    element: Any
    root: Mapping[str, str]


def bytes_or_refusal(file: Path) -> bytes:
    """The content of a delivered file, or :class:`DeliveryRefused`; an empty one and one that is not UTF-8 too."""
    raw = delimited.read_bytes(file, file.parent)
    if isinstance(raw, Fault):
        raise DeliveryRefused(f"{file.name} was refused, {raw.reason}: {raw.explanation} The list in force stays.")
    if not raw.strip():
        raise refusal(file.name, "file_must_be_readable", "the file is empty")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as failure:
        explanation = f"the file is not UTF-8 from byte {failure.start} on"
        raise refusal(file.name, "file_must_be_readable", explanation) from None
    if b"\0" in raw:
        raise refusal(file.name, "file_must_be_readable", f"the file holds a NUL byte at {raw.index(0)}")
    return raw


def refusal(file: str, reason: str, explanation: str) -> DeliveryRefused:
    """The failure to raise where a file cannot be believed as a whole."""
    return DeliveryRefused(f"{file} was refused, {reason}: {explanation.rstrip('. ')}. {NEXT}")


def records(file: str, raw: bytes, root_tag: str, tags: frozenset[str]) -> Iterator[Record]:
    """Every element of ``raw`` whose tag is one of ``tags``; each is gone once the next is asked for.

    Raises
    ------
    DeliveryRefused
        The document is cut off, is no XML, declares a document type or an entity, or has another root.
    """
    stack: list[Any] = []
    place = 0
    try:
        for event, element in ElementTree.iterparse(BytesIO(raw), events=("start", "end"), forbid_dtd=True):
            tag = local(element.tag)
            if event == "start":
                if not stack and tag != root_tag:
                    raise refusal(file, "columns_must_match", f"the root must be {root_tag!r}, but is {tag[:60]!a}")
                stack.append(element)
                if len(stack) > DEPTH_MAX:
                    raise refusal(file, "file_must_be_readable", f"elements are nested over {DEPTH_MAX} deep")
                continue
            stack.pop()
            if tag in tags:
                place += 1
                yield Record(place, tag, element, stack[0].attrib)
                # The record is let go, and so is the parent's hold on it.
                element.clear()
                stack[-1].remove(element)
    except ElementTree.ParseError as failure:
        explanation = f"the file is cut off or is no XML ({failure})"
        raise refusal(file, "file_must_be_readable", explanation) from None
    except DefusedXmlException as failure:
        explanation = f"the file declares a document type or an entity ({type(failure).__name__})"
        raise refusal(file, "file_must_be_readable", explanation) from None


def as_text(element: Any) -> str:
    """An element as it came."""
    text: str = ElementTree.tostring(element, encoding="unicode")
    return text


def local(tag: str) -> str:
    """A tag without its namespace."""
    return tag.rpartition("}")[2]


def text_of(element: Any, *path: str) -> str:
    """The text at the end of ``path`` below ``element``, without outer blanks; nothing where there is none."""
    return next(iter(texts_of(element, *path)), "")


def texts_of(element: Any, *path: str) -> list[str]:
    """Every text that is not blank at the end of ``path`` below ``element``."""
    return [text for found in below(element, *path) if (text := (found.text or "").strip())]


def below(element: Any, *path: str) -> list[Any]:
    """The elements at the end of ``path`` below ``element``, whatever their namespace."""
    found = [element]
    for tag in path:
        found = [child for one in found for child in one if local(child.tag) == tag]
    return found
