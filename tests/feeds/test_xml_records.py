"""An XML delivery is read record by record, and cannot unfold, reach out, or exhaust the desk."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.errors import DeliveryRefused
from feeds.xml_records import as_text, below, bytes_or_refusal, records, text_of, texts_of

Put = Callable[[str, str | bytes], Path]
TAGS = frozenset({"entry"})


def read(raw: str | bytes) -> list[str]:
    content = raw.encode() if isinstance(raw, str) else raw
    return [text_of(record.element, "name") for record in records("list.xml", content, "list", TAGS)]


def test_records_come_in_order_whatever_their_namespace() -> None:
    entries = "<entry><name> A </name></entry><group><entry><name>B</name></entry></group>"
    raw = f'<list xmlns="urn:x" day="2026-06-17">{entries}</list>'
    assert read(raw) == ["A", "B"]
    (first, second) = [(record.place, record.root["day"]) for record in records("list.xml", raw.encode(), "list", TAGS)]
    assert (first, second) == ((1, "2026-06-17"), (2, "2026-06-17"))


def test_texts_are_found_below_an_element() -> None:
    raw = b"<list><entry><a><b>1</b><b/><b> </b><b>2</b></a></entry></list>"
    for record in records("list.xml", raw, "list", TAGS):
        assert texts_of(record.element, "a", "b") == ["1", "2"]
        assert len(below(record.element, "a", "b")) == 4
        assert text_of(record.element, "a", "none") == ""
        assert as_text(record.element).startswith("<entry><a><b>1</b>")


BOMB = (
    '<!DOCTYPE list [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><list><entry><name>&c;</name></entry></list>'
)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param("<list><entry><name>A</name></entry>", "cut off or is no XML", id="cut at the end of a record"),
        pytest.param("<list><entry><na", "cut off or is no XML", id="cut within a tag"),
        pytest.param("entry_id,name\n1,A\n", "cut off or is no XML", id="another format"),
        pytest.param("<html><body/></html>", "the root must be 'list', but is 'html'", id="a page of an error"),
        pytest.param(BOMB, "declares a document type or an entity", id="an entity bomb"),
        pytest.param(
            '<!DOCTYPE list SYSTEM "outside.dtd"><list/>', "declares a document type", id="a reference to another file"
        ),
        pytest.param(
            '<!DOCTYPE list [<!ENTITY x SYSTEM "file:///etc/passwd">]><list><entry>&x;</entry></list>',
            "declares a document type",
            id="an entity that reads a file",
        ),
        pytest.param("<list>" + "<a>" * 50 + "</a>" * 50 + "</list>", "nested over 32 deep", id="elements too deep"),
        pytest.param("<list><entry></list>", "cut off or is no XML", id="tags that do not match"),
    ],
)
def test_a_document_that_cannot_be_believed_is_refused_whole(raw: str, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=f"list.xml was refused.*{why}.*the list in force stays"):
        read(raw)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "is empty", id="nothing"),
        pytest.param(b" \n", "is empty", id="blanks"),
        pytest.param("<list>é</list>".encode("latin-1"), "not UTF-8 from byte 6 on", id="Latin-1"),
        pytest.param("<list/>".encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b"<list>\0</list>", "NUL byte at 6", id="a NUL byte"),
    ],
)
def test_bytes_that_are_no_text_are_refused(put: Put, content: bytes, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        bytes_or_refusal(put("list.xml", content))


def test_a_missing_file_leaves_the_list_in_force(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match=r"none\.xml was refused.*cannot be opened.*The list in force stays"):
        bytes_or_refusal(tmp_path / "none.xml")


def test_a_long_list_takes_the_memory_of_one_record() -> None:
    raw = ("<list>" + "<entry><name>ALPHA</name>" + "<x>data</x>" * 20 + "</entry>").encode()
    raw = b"<list>" + raw.removeprefix(b"<list>") * 20_000 + b"</list>"
    tracemalloc.start()
    assert sum(1 for _ in records("list.xml", raw, "list", TAGS)) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(raw) * 1.5
