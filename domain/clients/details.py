"""What the desk knows of a client that is personal: which fields there are, what may stand in them, and how to compare.

A value comes from outside and may hold anything. No message says what the value was.
"""

import re
from datetime import date
from enum import StrEnum, auto
from typing import Final

from domain.clients.names import normalise
from domain.clients.watchlists import plain_document
from domain.errors import PersonalDataNotUsable

VALUE_LENGTH_MAX: Final = 2_000
"""Characters of one value; an address has a few hundred."""

_COUNTRIES: Final = re.compile(r"[A-Z]{2}( [A-Z]{2})*")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")


class Field(StrEnum):
    """A kind of personal data. ``aliases`` has one name a line, ``country`` ISO 3166 codes with a space between."""

    full_name = auto()
    aliases = auto()
    birth_date = auto()
    country = auto()
    document = auto()
    phone = auto()
    email = auto()
    address = auto()
    bank_account = auto()


SCREENED: Final = frozenset({Field.full_name, Field.aliases, Field.birth_date, Field.country, Field.document})
"""What a client is screened by; when one of these changes, the client is screened again."""

INDEXED: Final = frozenset({Field.document, Field.phone, Field.email, Field.bank_account})
"""What a client can be looked up by, exactly, without opening anything."""


def require_usable(field: str, value: str) -> Field:
    """The field called ``field``, once ``value`` may stand in it.

    Raises
    ------
    PersonalDataNotUsable
        The field is unknown, or the value is empty, too long, no text, or not of the field's form.
    NameNotUsable
        A name cannot be compared with others.
    """
    if field not in Field.__members__:
        raise PersonalDataNotUsable(
            f"A field of personal data must be one of {', '.join(Field)}, but {field[:40]!a} was named. Nothing was "
            f"written; name one of them."
        )
    known = Field(field)
    try:
        value.encode()
    except UnicodeEncodeError:
        # The error itself holds the value, so it must not become the cause of ours.
        expected: str | None = "text in Unicode without lone surrogates"
    else:
        expected = _what_is_missing(known, value)
    if expected is not None:
        raise PersonalDataNotUsable(
            f"The {known} must be {expected}, but a value of {len(value):,} characters is not. Nothing was written; "
            f"ask for it again as it stands in the document."
        )
    return known


def indexed_form(field: Field, value: str) -> str:
    """How a value is written to be looked up: the same number typed in two ways is one."""
    assert field in INDEXED, "only what can be looked up has such a form"
    if field is Field.email:
        return value.strip().casefold()
    if field is Field.phone:
        digits = "".join(character for character in value if character in "0123456789")
        return digits.removeprefix("00")
    return plain_document(value)


def _what_is_missing(field: Field, value: str) -> str | None:
    if not value.strip() or len(value) > VALUE_LENGTH_MAX:
        return f"1 to {VALUE_LENGTH_MAX:,} characters that say something"
    if field is Field.full_name:
        normalise(value)
    elif field is Field.aliases:
        for line in value.splitlines():
            normalise(line)
    elif field is Field.birth_date:
        try:
            date.fromisoformat(value)
        except ValueError:
            return "a day such as 1970-01-31"
    elif field is Field.country and not _COUNTRIES.fullmatch(value):
        return "codes of two capital letters with one space between"
    elif field is Field.email and not _EMAIL.fullmatch(value.strip()):
        return "an address with one @"
    elif field in INDEXED and not indexed_form(field, value):
        return "a number with letters or digits in it"
    return None
