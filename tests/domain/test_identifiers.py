"""Identifiers: what their check digits find, and what no check digit can."""

import string
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import lei

from domain.errors import IdentifierNotValid
from domain.identifiers import Kind, check_digits, is_identifier, require_identifier

LETTERS, DIGITS = string.ascii_uppercase, string.digits
KINDS: tuple[Kind, ...] = get_args(Kind)
SEDOL_LETTERS = "BCDFGHJKLMNPQRSTVWXYZ"


def _bodies(first: str, alphabet: str, length: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=length, max_size=length).map(lambda rest: first + rest)


isins = st.one_of(_bodies(country, DIGITS + LETTERS, 9) for country in ("US", "CN", "HK", "XS")).map(
    lambda body: body + check_digits("ISIN", body)
)
leis = _bodies("", DIGITS + LETTERS, 18).map(lambda body: body + check_digits("LEI", body))
cusips = _bodies("", DIGITS + LETTERS, 8).map(lambda body: body + check_digits("CUSIP", body))
sedols = _bodies("B", DIGITS + SEDOL_LETTERS, 5).map(lambda body: body + check_digits("SEDOL", body))
ibans = st.tuples(_bodies("", LETTERS, 4), _bodies("", DIGITS, 14)).map(
    lambda parts: f"GB{check_digits('IBAN', 'GB' + ''.join(parts))}{''.join(parts)}"
)


@pytest.mark.parametrize("golden", ["ST-001"], indirect=True)
def test_published_identifiers_carry_their_check_digits(golden: Any) -> None:
    for kind in ("ISIN", "IBAN", "LEI"):
        assert [is_identifier(kind, text) for text in golden.given[kind]] == golden.expected[kind]
    for kind in ("CUSIP", "SEDOL"):
        digits = [check_digits(kind, body) for body in golden.given[f"{kind}_body"]]
        assert digits == golden.expected[f"{kind}_check"]
        assert all(is_identifier(kind, b + d) for b, d in zip(golden.given[f"{kind}_body"], digits, strict=True))


def test_check_digits_are_those_of_the_published_identifier() -> None:
    assert check_digits("ISIN", "US037833100") == "5"
    assert check_digits("LEI", "5493001KJTIIGC8Y1R") == "12"
    assert check_digits("IBAN", "GBWEST12345698765432") == "82"


@given(isins, leis, ibans, cusips, sedols)
def test_a_body_with_its_check_digits_is_an_identifier(
    isin: str, entity: str, iban: str, cusip: str, sedol: str
) -> None:
    for kind, text in (("ISIN", isin), ("LEI", entity), ("IBAN", iban), ("CUSIP", cusip), ("SEDOL", sedol)):
        assert is_identifier(kind, text)
        spaced = " ".join(text[at : at + 4] for at in range(0, len(text), 4)).lower()
        assert require_identifier(kind, spaced) == text


@given(st.one_of(leis.map(lambda text: ("LEI", text)), ibans.map(lambda text: ("IBAN", text))), st.data())
def test_one_character_mistaken_for_another_of_its_sort_never_passes_an_lei_or_iban(
    entered: tuple[Kind, str], data: st.DataObject
) -> None:
    kind, text = entered
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in (DIGITS if text[at].isdigit() else LETTERS) if c != text[at]]))
    assert not is_identifier(kind, text[:at] + other + text[at + 1 :])


@given(leis, st.integers(0, 18))
def test_neighbours_of_one_sort_exchanged_never_pass_an_lei(text: str, at: int) -> None:
    one, two = text[at], text[at + 1]
    if one != two and one.isdigit() == two.isdigit():
        assert not is_identifier("LEI", text[:at] + two + one + text[at + 2 :])


def test_a_digit_taken_for_a_letter_can_pass_an_lei() -> None:
    """It lengthens the number that is divided by 97, so that about one such slip in a hundred goes unseen."""
    slipped = [
        letter
        for body in ("5493001KJTIIGC8Y1R", "213800KUD8LAJWSQ9D", "529900T8BM49AURSDO")
        for at, character in enumerate(body)
        if character.isdigit()
        for letter in LETTERS
        if is_identifier("LEI", body[:at] + letter + body[at + 1 :] + check_digits("LEI", body))
    ]
    assert slipped, "the standard does not promise what it cannot keep"


@given(
    st.one_of(
        isins.map(lambda text: ("ISIN", text)),
        cusips.map(lambda text: ("CUSIP", text)),
        sedols.map(lambda text: ("SEDOL", text)),
    ),
    st.data(),
)
def test_one_digit_mistaken_for_another_never_passes(entered: tuple[Kind, str], data: st.DataObject) -> None:
    kind, text = entered
    at = data.draw(st.sampled_from([place for place, character in enumerate(text) if character.isdigit()]))
    other = data.draw(st.sampled_from([digit for digit in DIGITS if digit != text[at]]))
    assert not is_identifier(kind, text[:at] + other + text[at + 1 :])


def test_an_lei_with_1b_and_b1_exchanged_goes_unseen() -> None:
    body = "5493001BJTIIGC8Y1R"
    digits = check_digits("LEI", body)
    assert is_identifier("LEI", body + digits)
    assert is_identifier("LEI", body.replace("1B", "B1") + digits)


def test_an_isin_with_09_and_90_exchanged_goes_unseen() -> None:
    body = "US009000000"
    digit = check_digits("ISIN", body)
    assert is_identifier("ISIN", body + digit)
    assert is_identifier("ISIN", body.replace("09", "90", 1) + digit)


@given(st.text(max_size=80), st.sampled_from(KINDS))
def test_whatever_is_typed_is_answered(text: str, kind: Kind) -> None:
    if is_identifier(kind, text):
        assert is_identifier(kind, require_identifier(kind, text))
    else:
        with pytest.raises(IdentifierNotValid, match="Nothing was written"):
            require_identifier(kind, text)


@pytest.mark.parametrize(
    "text", ["", "A", "US0378331005" * 1000, "９" * 12, "US037833100５", "US037833100ß", "\x00", "'; --"]
)
def test_what_is_no_identifier_in_any_alphabet_is_refused(text: str) -> None:
    assert not any(is_identifier(kind, text) for kind in KINDS)


def test_an_identifier_of_the_wrong_length_country_or_letter_is_refused() -> None:
    assert not is_identifier("ISIN", "ZZ" + "0" * 9 + check_digits("ISIN", "ZZ" + "0" * 9))
    assert not is_identifier("LEI", "5493001KJTIIGC8Y1R" + "1" + check_digits("LEI", "5493001KJTIIGC8Y1R1"))
    assert not is_identifier("SEDOL", "A0WNLY" + "7")
    assert not is_identifier("IBAN", "GB" + check_digits("IBAN", "GBWEST1234569876543") + "WEST1234569876543")


def test_check_digits_nobody_can_be_given_are_refused() -> None:
    body = next(f"{n:018d}" for n in range(98) if check_digits("LEI", f"{n:018d}") == "98")
    assert lei.is_valid(body + "01"), "the library alone lets them pass"
    assert not is_identifier("LEI", body + "01")


def test_a_refusal_repeats_a_security_but_never_an_account_of_a_person() -> None:
    with pytest.raises(IdentifierNotValid, match=r"ISIN must have the form .* but got 'US0378331006'\. Nothing was"):
        require_identifier("ISIN", "US0378331006")
    with pytest.raises(IdentifierNotValid, match=r"IBAN must .* but got one of 22 characters") as refusal:
        require_identifier("IBAN", "GB82WEST12345698765433")
    assert "WEST" not in str(refusal.value)
