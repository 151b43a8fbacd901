"""Lists call a country by many names, and screening compares codes."""

import pytest

from feeds.countries import country_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Iran", "IR"), ("Iran (Islamic Republic of)", "IR"), ("IR", "IR"), ("Korea, North", "KP"),
        ("Democratic People's Republic of Korea", "KP"), ("Russian Federation", "RU"), ("Russia", "RU"),
        ("Syrian Arab Republic", "SY"), ("Côte d’Ivoire", "CI"), ("Congo, Democratic Republic of the", "CD"),
        ("Burma", "MM"), ("China", "CN"), ("Hong Kong", "HK"), ("United Kingdom", "GB"), ("Turkey", "TR"),
    ],
)  # fmt: skip
def test_a_country_is_known_by_each_of_its_names(text: str, code: str) -> None:
    assert country_code(text) == code


def test_a_name_nobody_knows_is_kept_and_no_name_is_no_country() -> None:
    assert country_code("Ruritania") == "RURITANIA"
    assert country_code("  ") is None
    assert country_code("-0-x" * 200) is None
