"""How a name is written so that it can be compared, and the other ways in which the same name is written.

A name comes from outside and may hold anything: every alphabet, control characters, a program. It is treated as
letters and digits; nothing else of it survives. No message says what the name was.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

import pypinyin
from opencc import OpenCC

from domain.errors import NameNotUsable

NAME_LENGTH_MAX: Final = 512
"""Characters of a name, before and after normalisation. The longest field of a sanctions list has 350; comparing two
names takes time in proportion to the product of their lengths, and one name is compared with every name of a list."""

WORDS_MAX: Final = 48
"""Words of a name. Every word is compared with every word of a list, and no list names anybody in as many."""

PERSON_CHARACTERS_MAX: Final = 5
"""Chinese characters of a person's name at most (a compound surname and three more); longer ones name a firm."""

SWAPPED_WORDS_MAX: Final = 6
"""Names of more words are firms', whose words are not given in another order."""

_APOSTROPHES: Final = dict.fromkeys(map(ord, "'’‘ʼʻ`´ʹʾʿ′＇‛"))
_FOLDED: Final = str.maketrans(
    {"Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "Æ": "AE", "Œ": "OE", "Ħ": "H", "Ŧ": "T", "Ŋ": "N", "Ə": "A"}
)
_UMLAUTS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "AE", "Ö": "OE", "Ü": "UE", "å": "aa", "Å": "AA"}
)

_COMPOUND_SURNAMES: Final = frozenset({
    "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛",
    "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容",
    "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "令狐", "呼延", "轩辕", "百里", "东郭",
    "西门", "南门", "拓跋", "完颜", "耶律", "纳兰", "叶赫", "第五", "左丘", "梁丘", "东里", "谷梁",
    "闾丘", "乐正", "司寇", "巫马", "子车", "颛孙", "漆雕", "壤驷", "公西", "宰父", "亓官",
})  # fmt: skip
_SURNAME_READINGS: Final = {
    "单": "SHAN", "曾": "ZENG", "仇": "QIU", "解": "XIE", "查": "ZHA", "区": "OU", "朴": "PIAO", "盖": "GE",
    "翟": "ZHAI", "任": "REN", "华": "HUA", "乐": "YUE", "召": "SHAO", "缪": "MIAO", "宓": "MI", "黑": "HE",
    "秘": "BI", "折": "SHE", "员": "YUN", "燕": "YAN", "应": "YING", "宁": "NING", "牟": "MU", "谌": "CHEN",
    "冼": "XIAN", "洗": "XIAN", "覃": "QIN", "繁": "PO", "种": "CHONG", "祭": "ZHAI", "逄": "PANG", "幺": "YAO",
    "占": "ZHAN", "尉迟": "YUCHI", "万俟": "MOQI", "长孙": "ZHANGSUN",
    "澹台": "TANTAI", "亓官": "QIGUAN", "鲜于": "XIANYU", "令狐": "LINGHU",
}  # fmt: skip
"""How these characters are read as surnames; elsewhere most of them are read otherwise."""


def normalise(name: str) -> str:
    """The form in which names are compared: capitals and digits of any script, one space between words.

    Compatibility forms are unfolded (NFKD), combining marks dropped, apostrophes and invisible format characters
    deleted, letters put in capitals (ß becomes SS), and everything else becomes a space.

    Raises
    ------
    NameNotUsable
        Nothing is left, or more than can be compared in bounded time. The message does not repeat the name.
    """
    _require_length(len(name))
    text = _unmarked(_unmarked(name.translate(_APOSTROPHES)).upper())
    words = "".join(character if _is_kept(character) else " " for character in text).split()
    normal = " ".join(words)
    _require_length(len(normal))
    if not words or len(words) > WORDS_MAX:
        raise NameNotUsable(
            f"A name must have 1 to {WORDS_MAX} words of letters or digits, but one of {len(name)} characters has "
            f"{len(words)}. Nothing was compared; ask for the name as it stands in the identity document."
        )
    return normal


def variants(name: str) -> tuple[str, ...]:
    """The normalised name first, then every other way the same name is commonly written, each once.

    Chinese characters are also written simplified, traditional and in pinyin (surname first, given name joined and
    split); two to six words also in another order; letters that no mark was taken from (ø, ł, æ) and umlauts also as
    they are spelt in plain Latin. Romanisations of other dialects, and other scripts, are not generated.
    """
    found = dict.fromkeys(script_variants(name))
    for variant in tuple(found):
        found.update(dict.fromkeys(_reordered(variant)))
    return tuple(found)


def script_variants(name: str) -> tuple[str, ...]:
    """As :func:`variants`, in the order of words that was given."""
    whole = normalise(name)
    found = {whole: None}
    for spelt in (whole.translate(_FOLDED), name.translate(_UMLAUTS)):
        if spelt not in (whole, name) and len(spelt) <= NAME_LENGTH_MAX:
            found[normalise(spelt)] = None
    chinese = "".join(character for character in whole if _is_chinese(character))
    if chinese:
        found.update(dict.fromkeys(_chinese_variants(chinese)))
        others = [word for word in whole.split() if not any(map(_is_chinese, word))]
        if others:
            found[" ".join(others)] = None
    return tuple(variant for variant in found if len(variant) <= NAME_LENGTH_MAX)


def _require_length(length: int) -> None:
    if length > NAME_LENGTH_MAX:
        raise NameNotUsable(
            f"A name must have at most {NAME_LENGTH_MAX} characters, but has {length:,}. Nothing was compared; ask for "
            f"the name as it stands in the identity document."
        )


def _unmarked(text: str) -> str:
    unfolded = unicodedata.normalize("NFKD", text)
    return "".join(character for character in unfolded if not unicodedata.combining(character)).translate(_APOSTROPHES)


def _is_kept(character: str) -> bool:
    """Letters, digits, and the vowel signs of scripts that write them beside the letter."""
    return unicodedata.category(character)[0] in "LN" or unicodedata.category(character) in ("Mc", "Mn")


def _is_chinese(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff" or "\U00020000" <= character <= "\U0003ffff"


def _reordered(variant: str) -> Iterator[str]:
    words = variant.split()
    if 2 <= len(words) <= SWAPPED_WORDS_MAX:
        yield " ".join([*words[1:], words[0]])
        yield " ".join([words[-1], *words[:-1]])
        yield " ".join(reversed(words))


@cache
def _converter(direction: str) -> OpenCC:
    """Reading the dictionaries takes a tenth of a second, once."""
    return OpenCC(direction)


def _chinese_variants(chinese: str) -> Iterator[str]:
    simplified = _converter("t2s").convert(chinese)
    yield chinese
    yield simplified
    yield _converter("s2t").convert(chinese)
    if len(simplified) > PERSON_CHARACTERS_MAX:
        yield from _spellings(_read(simplified))
        return
    length = 2 if simplified[:2] in _COMPOUND_SURNAMES and len(simplified) > 2 else 1
    surname, given = simplified[:length], simplified[length:]
    readings = dict.fromkeys(
        [*filter(None, [_SURNAME_READINGS.get(surname)]), "".join(_read(surname)), "".join(_read(simplified)[:length])]
    )
    for reading in filter(None, readings):
        syllables = _read(given)
        if not syllables:
            yield from _spellings([reading])
            continue
        for words in ([reading, "".join(syllables)], [reading, *syllables], ["".join(syllables), reading]):
            yield from _spellings(words)


def _read(chinese: str) -> list[str]:
    """Syllables in capitals, ü as V; a character nobody knows how to read is left out."""
    return [syllable.upper() for syllable in pypinyin.lazy_pinyin(chinese, errors="ignore")]


def _spellings(words: Iterable[str]) -> Iterator[str]:
    """The same syllables with ü written V, U and, as passports have it, YU."""
    joined = " ".join(words)
    for vowel in ("V", "U", "YU") if "V" in joined else ("V",):
        if joined:
            yield joined.replace("V", vowel)
