"""The list of the European Union is read from its attributes. Every name and number here is invented."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.clients.watchlists import BirthSpan, ListedName, Quality
from domain.errors import DeliveryRefused
from feeds.watchlists_eu import read_eu_xml

Put = Callable[[str, str | bytes], Path]

XML = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<export xmlns="urn:invented" generationDate="2026-06-15T17:00:34.049+01:00" globalFileId="1">
<sanctionEntity designationDetails="" euReferenceNumber="EU.1.1" logicalId="901">
<regulation regulationType="regulation" programme="IRQ" logicalId="1"><publicationUrl>u</publicationUrl></regulation>
<subjectType code="person" classificationCode="P"/>
<nameAlias firstName="Teodric" middleName="" lastName="Quorvan" wholeName="Teodric Quorvan" strong="true"/>
<nameAlias firstName="Teo" middleName="B." lastName="Kworvan" wholeName="" strong="true"/>
<nameAlias wholeName="The Owl" strong="false" logicalId="4"/>
<citizenship countryIso2Code="SY" countryDescription="SYRIA"/>
<birthdate circa="false" birthdate="1965-03-12" year="1965" countryIso2Code="00"/>
<birthdate circa="true" year="1966"/><birthdate circa="false" yearRangeFrom="1963" yearRangeTo="1964"/>
<birthdate city="x"/>
<identification number="N-7501" identificationTypeCode="passport" countryIso2Code="SY"/>
<address city="" countryIso2Code="00"/></sanctionEntity>
<sanctionEntity euReferenceNumber="EU.1.2" logicalId="902"><subjectType code="enterprise" classificationCode="E"/>
<nameAlias wholeName="Velmoor Holding" strong="true"/><address countryIso2Code="KP"/></sanctionEntity>
</export>
"""


def test_persons_and_enterprises_are_read(put: Put, known_at: datetime) -> None:
    found = read_eu_xml(put("eu.xml", XML), known_at)
    assert found.quarantined.empty
    assert (found.watchlist.name, found.watchlist.published_on) == ("eu.consolidated", date(2026, 6, 15))
    person, firm = found.watchlist.entries
    assert person.names == (
        ListedName("Teodric Quorvan"),
        ListedName("Teo B. Kworvan", Quality.strong),
        ListedName("The Owl", Quality.weak),
    )
    assert person.births == (
        BirthSpan(date(1965, 3, 12), date(1965, 3, 12)),
        BirthSpan(date(1964, 1, 1), date(1968, 12, 31)),
        BirthSpan(date(1963, 1, 1), date(1964, 12, 31)),
    )
    assert (person.kind, person.countries, person.documents, person.programs) == (
        "individual", ("SY",), ("N7501",), ("IRQ",),
    )  # fmt: skip
    assert (firm.entry_id, firm.kind, firm.countries) == ("902", "entity", ("KP",))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(XML[: len(XML) // 2], "cut off or is no XML", id="cut in half"),
        pytest.param(XML.replace("export", "import"), "the root must be 'export'", id="another root"),
        pytest.param(XML.replace("generationDate", "date"), "day of publication", id="no day"),
        pytest.param('<export generationDate="2026-06-15"/>', "list_must_not_be_empty", id="an empty list"),
        pytest.param(XML.replace("nameAlias", "alias"), "list_must_not_be_empty", id="other elements"),
    ],
)
def test_a_list_that_is_not_whole_is_refused(put: Put, known_at: datetime, content: str, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        read_eu_xml(put("eu.xml", content), known_at)
