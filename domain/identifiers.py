"""The identifiers that come from outside, and whether their check digits agree: ISIN, LEI, IBAN, CUSIP, SEDOL.

The arithmetic of the check digits is python-stdnum's. What it leaves open is closed here: an identifier is ASCII, of
its own length, and a pair of check digits is one that the standard can produce.
"""

import re
from types import ModuleType
from typing import Final, Literal

from stdnum import cusip, iban, isin, lei
from stdnum.gb import sedol
from stdnum.iso7064 import mod_97_10

from domain.errors import IdentifierNotValid

Kind = Literal["ISIN", "LEI", "IBAN", "CUSIP", "SEDOL"]
"""Which standard an identifier is of."""

_FORMS: Final[dict[Kind, re.Pattern[str]]] = {
    "ISIN": re.compile(r"[A-Z]{2}[0-9A-Z]{9}[0-9]", re.ASCII),
    # The standard computes its two digits as 98 less a remainder below 97: 00, 01 and 99 pass the division, and are
    # nobody's.
    "LEI": re.compile(r"[0-9A-Z]{18}(?!00|01|99)[0-9]{2}", re.ASCII),
    "IBAN": re.compile(r"[A-Z]{2}(?!00|01|99)[0-9]{2}[0-9A-Z]{11,30}", re.ASCII),
    "CUSIP": re.compile(r"[0-9A-Z*@#]{8}[0-9]", re.ASCII),
    "SEDOL": re.compile(r"[0-9B-DF-HJ-NP-TV-Z]{6}[0-9]", re.ASCII),
}

_STANDARDS: Final[dict[Kind, ModuleType]] = {"ISIN": isin, "LEI": lei, "IBAN": iban, "CUSIP": cusip, "SEDOL": sedol}

_LENGTH_MAX: Final = 64
"""Longer than any identifier written with blanks; what is longer is not looked at."""


def is_identifier(kind: Kind, text: str) -> bool:
    """Whether ``text`` is an identifier of this kind, blanks and case aside: its form, its country, its check digits.

    Check digits find most slips of the pen, not all: every digit mistaken for another; in an LEI or IBAN also every
    letter mistaken for another, and neighbours exchanged, two digits or two letters. They miss about one in a hundred
    digits taken for letters. They do not say that the identifier was ever issued.
    """
    written = _canonical(text)
    return _FORMS[kind].fullmatch(written) is not None and bool(_STANDARDS[kind].is_valid(written))


def require_identifier(kind: Kind, text: str) -> str:
    """Return the identifier in capitals and without blanks; raises :class:`IdentifierNotValid` if it is none."""
    if not is_identifier(kind, text):
        # An IBAN is a person's: it is not repeated where a log could keep it.
        found = f"one of {len(text)} characters" if kind == "IBAN" else repr(text[:_LENGTH_MAX])
        raise IdentifierNotValid(
            f"{kind} must have the form and the check digits of its standard, but got {found}. Nothing was written; "
            f"compare it with its document and enter it again."
        )
    return _canonical(text)


def check_digits(kind: Kind, body: str) -> str:
    """Check digits that belong to ``body``, which is the identifier without them (for an IBAN: country, then rest)."""
    if kind == "LEI":
        return mod_97_10.calc_check_digits(body)
    if kind == "IBAN":
        return iban.calc_check_digits(f"{body[:2]}00{body[2:]}")
    return str(_STANDARDS[kind].calc_check_digit(body))


def _canonical(text: str) -> str:
    # Capitals only of ASCII: elsewhere a letter may change into another one, or into two.
    return text.replace(" ", "").upper() if len(text) <= _LENGTH_MAX and text.isascii() else ""
