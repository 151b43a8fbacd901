"""A name is letters and digits whatever came, in bounded time, and the same name is found however it is written."""

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.names import NAME_LENGTH_MAX, WORDS_MAX, normalise, script_variants, variants
from domain.errors import DeskError, NameNotUsable


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("José da Sylva", "JOSE DA SYLVA"),
        ("DA SILVA, Jose", "DA SILVA JOSE"),
        ("O'Brien", "OBRIEN"),
        ("O’Brien", "OBRIEN"),
        ("O´Brien", "OBRIEN"),
        ("Groß-Strauß", "GROSS STRAUSS"),
        ("  AL-  ZAWAHIRI\t\n", "AL ZAWAHIRI"),
        ("ﬁnance Ⅳ ①", "FINANCE IV 1"),
        ("ＡＢＣ　株式会社", "ABC 株式会社"),
        ("Zo\u0308e\u200b\u00ad\ufeff", "ZOE"),
        ("İstanbul ıspanak", "ISTANBUL ISPANAK"),
        ("Ιωάννης", "ΙΩΑΝΝΗΣ"),
        ("Йосиф", "ИОСИФ"),
        ("مُحَمَّد", "محمد"),
        ("नमस्ते", "नमसते"),
        ("Robert'); DROP TABLE client;--", "ROBERT DROP TABLE CLIENT"),
        ("\x00\x07A\x1bB", "A B"),
        ("a" + "\u0301" * 400, "A"),
    ],
)
def test_a_name_is_written_one_way_only(name: str, normal: str) -> None:
    assert normalise(name) == normal
    assert normalise(normal) == normal


def test_every_character_there_is_can_stand_in_a_name() -> None:
    """All of Unicode, 100 characters at a time: never another failure, and normalising twice changes nothing."""
    for start in range(0, sys.maxunicode + 1, 100):
        name = "A " + "".join(map(chr, range(start, min(start + 100, sys.maxunicode + 1))))
        try:
            normal = normalise(name)
        except NameNotUsable as refused:
            assert "words" in str(refused) or "characters" in str(refused)
        else:
            assert normalise(normal) == normal


@given(st.text(max_size=600))
def test_any_text_is_a_name_or_is_refused_in_words(name: str) -> None:
    try:
        found = variants(name)
    except DeskError as refused:
        assert isinstance(refused, NameNotUsable)
        return
    assert found[0] == normalise(name)
    assert len(found) == len(set(found)) <= 64
    assert all(normalise(variant) == variant for variant in found)
    assert all(len(variant) <= NAME_LENGTH_MAX for variant in found)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="nothing"),
        pytest.param(" -' \u0301\u200b\x00", id="nothing but what is dropped"),
        pytest.param("x" * (NAME_LENGTH_MAX + 1), id="one character too many"),
        pytest.param("名" * 10_000, id="ten thousand Chinese characters"),
        pytest.param("\u0301" * 10_000, id="ten thousand marks"),
        pytest.param("ﷺ" * 200, id="ligatures that unfold eighteenfold"),
        pytest.param("a " * (WORDS_MAX + 1), id="one word too many"),
        pytest.param("SECRET " * 10_000, id="seventy kilobytes"),
    ],
)
def test_a_name_that_cannot_be_compared_is_refused_without_being_repeated(name: str) -> None:
    started = time.perf_counter()
    with pytest.raises(NameNotUsable, match="Nothing was compared; ask for the name") as refused:
        variants(name)
    assert time.perf_counter() - started < 1
    assert "SECRET" not in str(refused.value)
    assert "xxx" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "also"),
    [
        ("张晓明", {"張曉明", "ZHANG XIAOMING", "ZHANG XIAO MING", "XIAOMING ZHANG", "XIAO MING ZHANG"}),
        ("張曉明", {"张晓明", "ZHANG XIAOMING"}),
        ("张 晓明", {"张晓明", "ZHANG XIAOMING"}),
        ("欧阳修", {"OUYANG XIU", "XIU OUYANG"}),
        ("诸葛孔明", {"ZHUGE KONGMING", "ZHUGE KONG MING", "KONGMING ZHUGE"}),
        ("吕布", {"LU BU", "LV BU", "LYU BU", "BU LYU"}),
        ("单雄信", {"SHAN XIONGXIN"}),
        ("曾国藩", {"ZENG GUOFAN", "曾國藩"}),
        ("尉迟恭", {"YUCHI GONG"}),
        ("任", {"REN"}),
        ("中国石油天然气", {"ZHONG GUO SHI YOU TIAN RAN QI", "中國石油天然氣"}),
        ("张伟 (Zhang Wei)", {"ZHANG WEI", "WEI ZHANG", "张伟"}),
        ("Zhang Xiao Ming", {"XIAO MING ZHANG", "MING ZHANG XIAO"}),
        ("José da Sylva", {"DA SYLVA JOSE", "SYLVA JOSE DA", "SYLVA DA JOSE"}),
        ("Łukasz Ørsted", {"LUKASZ ORSTED"}),
        ("Jürgen Müller", {"JUERGEN MUELLER"}),
    ],
)
def test_the_other_ways_a_name_is_written_are_generated(name: str, also: set[str]) -> None:
    assert also <= set(variants(name))


def test_a_firm_of_many_words_is_not_put_in_another_order() -> None:
    name = "THE FIRST NATIONAL STEEL AND SHIPPING COMPANY"
    assert variants(name) == (name,)


def test_a_list_keeps_the_order_of_words_it_was_given() -> None:
    assert script_variants("Zhang Wei") == ("ZHANG WEI",)
    assert "ZHANG XIAOMING" in script_variants("张晓明")


def test_a_character_nobody_can_read_does_not_stop_the_others() -> None:
    assert variants("\U00030000")[0] == "\U00030000"
    assert "ZHANG" in variants("张\U00030000")
