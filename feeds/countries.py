"""The ISO 3166 code of a country, as the lists of the world call it."""

from functools import cache
from typing import Final

from babel import Locale

from domain.clients.names import normalise
from domain.errors import NameNotUsable

_ALSO: Final = {
    "BOLIVIA PLURINATIONAL STATE OF": "BO", "BURMA": "MM", "BYELARUS": "BY", "CABO VERDE": "CV",
    "CONGO DEMOCRATIC REPUBLIC OF THE": "CD", "CONGO REPUBLIC OF THE": "CG", "COTE D IVOIRE": "CI", "CRIMEA": "UA",
    "CZECH REPUBLIC": "CZ", "DEMOCRATIC PEOPLES REPUBLIC OF KOREA": "KP", "DEMOCRATIC REPUBLIC OF THE CONGO": "CD",
    "GAMBIA THE": "GM", "HONG KONG": "HK", "IRAN ISLAMIC REPUBLIC OF": "IR", "ISLAMIC REPUBLIC OF IRAN": "IR",
    "IVORY COAST": "CI", "KOREA DEMOCRATIC PEOPLES REPUBLIC OF": "KP", "KOREA NORTH": "KP", "KOREA REPUBLIC OF": "KR",
    "KOREA SOUTH": "KR", "LAO PEOPLES DEMOCRATIC REPUBLIC": "LA", "MACAU": "MO", "MACEDONIA": "MK",
    "MACEDONIA THE FORMER YUGOSLAV REPUBLIC OF": "MK", "MOLDOVA REPUBLIC OF": "MD", "MYANMAR": "MM", "PALESTINE": "PS",
    "PALESTINIAN": "PS", "PEOPLES REPUBLIC OF CHINA": "CN", "REGION GAZA": "PS", "REGION KAFIA KINGI": "SD",
    "REPUBLIC OF KOREA": "KR", "REPUBLIC OF MOLDOVA": "MD", "RUSSIAN FEDERATION": "RU", "STATE OF PALESTINE": "PS",
    "SWAZILAND": "SZ", "SYRIAN ARAB REPUBLIC": "SY", "TAIWAN PROVINCE OF CHINA": "TW", "TANZANIA": "TZ",
    "TANZANIA UNITED REPUBLIC OF": "TZ", "THE GAMBIA": "GM", "TURKEY": "TR", "UNITED KINGDOM": "GB",
    "UNITED REPUBLIC OF TANZANIA": "TZ", "UNITED STATES OF AMERICA": "US", "VENEZUELA BOLIVARIAN REPUBLIC OF": "VE",
    "VIET NAM": "VN", "WEST BANK": "PS",
}  # fmt: skip
"""Names the lists use and the common table of territories does not."""


def country_code(text: str) -> str | None:
    """The two-letter code of the country ``text`` names, or already is; a name nobody knows comes back in capitals.

    Blank text, and text without a letter, is no country.
    """
    try:
        name = normalise(text)
    except NameNotUsable:
        return None
    if name in _codes():
        return name
    return _by_name().get(name, name)


@cache
def _codes() -> frozenset[str]:
    return frozenset(_by_name().values())


@cache
def _by_name() -> dict[str, str]:
    territories = {code: name for code, name in Locale("en").territories.items() if len(code) == 2 and code.isalpha()}
    codes = {normalise(name): str(code) for code, name in territories.items() if code not in ("EU", "EZ", "UN", "ZZ")}
    return codes | _ALSO
