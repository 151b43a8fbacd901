"""What may stand in a field of personal data, and no refusal says what stood there."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.clients.details import INDEXED, VALUE_LENGTH_MAX, Field, indexed_form, require_usable
from domain.errors import DeskError, NameNotUsable, PersonalDataNotUsable

GOOD = {
    Field.full_name: "欧阳 娜娜",
    Field.aliases: "Ouyang Nana\nNana Ouyang",
    Field.birth_date: "1990-02-28",
    Field.country: "CN HK",
    Field.document: "E 1234-5678",
    Field.phone: "+86 138 0000 0000",
    Field.email: "nana@example.com",
    Field.address: "1 Nanjing Road\nShanghai",
    Field.bank_account: "DE89 3704 0044 0532 0130 00",
}

BAD = {
    Field.full_name: "\x00\x01\x02",
    Field.aliases: "Nana\n!!!",
    Field.birth_date: "28/02/1990",
    Field.country: "China",
    Field.document: "--- ---",
    Field.phone: "none at all",
    Field.email: "nana at example",
    Field.address: "   ",
    Field.bank_account: "!",
}


@pytest.mark.parametrize("field", Field)
def test_every_field_takes_what_is_of_its_form(field: Field) -> None:
    assert require_usable(field.value, GOOD[field]) is field


@pytest.mark.parametrize("field", Field)
def test_no_field_takes_what_is_not_of_its_form(field: Field) -> None:
    with pytest.raises(DeskError, match="Nothing was") as refused:
        require_usable(field.value, BAD[field])
    assert BAD[field].strip() not in str(refused.value) or not BAD[field].strip()


def test_a_field_nobody_knows_is_refused() -> None:
    with pytest.raises(PersonalDataNotUsable, match="must be one of full_name, aliases"):
        require_usable("shoe_size", "42")


def test_a_value_that_is_too_long_is_refused_by_its_length() -> None:
    with pytest.raises(PersonalDataNotUsable, match=f"1 to {VALUE_LENGTH_MAX:,} characters.*value of 10,000"):
        require_usable("address", "x" * 10_000)
    with pytest.raises(NameNotUsable, match="at most 512 characters"):
        require_usable("full_name", "x" * 513)


@given(st.sampled_from(Field), st.text())
@example(Field.full_name, "Robert'); DROP TABLE client;--")
@example(Field.full_name, "\ud800 a lone surrogate")
@example(Field.birth_date, "9999-99-99")
def test_whatever_comes_is_taken_or_refused_without_repeating_it(field: Field, value: str) -> None:
    try:
        require_usable(field.value, value)
    except DeskError as refused:
        assert len(value) < 12 or value not in str(refused)
        assert refused.__cause__ is None or refused.__suppress_context__


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (Field.document, "E 1234-5678", "e12345678"),
        (Field.phone, "+86 138 0000 0000", "0086-138-0000-0000"),
        (Field.email, " Nana@Example.com", "nana@example.com"),
        (Field.bank_account, "DE89 3704 0044", "de8937040044"),
    ],
)
def test_the_same_number_typed_in_two_ways_is_one(field: Field, one: str, other: str) -> None:
    assert field in INDEXED
    assert indexed_form(field, one) == indexed_form(field, other)
