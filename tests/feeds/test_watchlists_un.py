"""The list of the United Nations is read with its qualities of alias. Every name and number here is invented."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.clients.watchlists import BirthSpan, ListedName, Quality
from domain.errors import DeliveryRefused
from feeds.watchlists_un import read_un_xml

Put = Callable[[str, str | bytes], Path]

XML = """<?xml version="1.0" encoding="utf-8"?>
<CONSOLIDATED_LIST dateGenerated="2026-06-15T08:00:00.000Z"><INDIVIDUALS>
<INDIVIDUAL><DATAID>900001</DATAID><VERSIONNUM>1</VERSIONNUM><FIRST_NAME>TEODRIC</FIRST_NAME>
<SECOND_NAME>BEN</SECOND_NAME><THIRD_NAME>QUORVAN</THIRD_NAME><FOURTH_NAME/><UN_LIST_TYPE>Invented</UN_LIST_TYPE>
<NAME_ORIGINAL_SCRIPT>تيودريك</NAME_ORIGINAL_SCRIPT><NATIONALITY><VALUE>Syrian Arab Republic</VALUE></NATIONALITY>
<INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Teo Kworvan; Teodrik Kworban</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>The Owl</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY/><ALIAS_NAME/></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ADDRESS><COUNTRY>Lebanon</COUNTRY></INDIVIDUAL_ADDRESS>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1965-03-12</DATE></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1966</YEAR></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1963</FROM_YEAR><TO_YEAR>1964</TO_YEAR>
</INDIVIDUAL_DATE_OF_BIRTH><INDIVIDUAL_DATE_OF_BIRTH/>
<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>N-7501</NUMBER></INDIVIDUAL_DOCUMENT>
</INDIVIDUAL></INDIVIDUALS><ENTITIES>
<ENTITY><DATAID>900002</DATAID><FIRST_NAME>VELMOOR HOLDING</FIRST_NAME><UN_LIST_TYPE>DPRK</UN_LIST_TYPE>
<ENTITY_ALIAS><QUALITY>a.k.a.</QUALITY><ALIAS_NAME>Velmur</ALIAS_NAME></ENTITY_ALIAS>
<ENTITY_ADDRESS><COUNTRY>Democratic People's Republic of Korea</COUNTRY></ENTITY_ADDRESS></ENTITY>
</ENTITIES></CONSOLIDATED_LIST>
"""


def test_individuals_and_entities_are_read(put: Put, known_at: datetime) -> None:
    found = read_un_xml(put("consolidated.xml", XML), known_at)
    assert found.quarantined.empty
    assert (found.watchlist.name, found.watchlist.published_on) == ("un.consolidated", date(2026, 6, 15))
    person, firm = found.watchlist.entries
    assert person.names == (
        ListedName("TEODRIC BEN QUORVAN"),
        ListedName("تيودريك", Quality.strong),
        ListedName("Teo Kworvan", Quality.strong),
        ListedName("Teodrik Kworban", Quality.strong),
        ListedName("The Owl", Quality.weak),
    )
    assert person.births == (
        BirthSpan(date(1965, 3, 12), date(1965, 3, 12)),
        BirthSpan(date(1964, 1, 1), date(1968, 12, 31)),
        BirthSpan(date(1963, 1, 1), date(1964, 12, 31)),
    )
    assert (person.countries, person.documents, person.programs) == (("SY", "LB"), ("N7501",), ("Invented",))
    assert (firm.entry_id, firm.kind, firm.countries) == ("900002", "entity", ("KP",))
    assert firm.names[1] == ListedName("Velmur", Quality.strong)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(XML[: len(XML) // 2], "cut off or is no XML", id="cut in half"),
        pytest.param(
            XML.replace("CONSOLIDATED_LIST", "LIST"), "the root must be 'CONSOLIDATED_LIST'", id="another root"
        ),
        pytest.param(XML.replace("dateGenerated", "generated"), "day of publication", id="no day"),
        pytest.param(
            '<CONSOLIDATED_LIST dateGenerated="2026-06-15"><INDIVIDUALS/></CONSOLIDATED_LIST>',
            "list_must_not_be_empty",
            id="an empty list",
        ),
        pytest.param(XML.replace("DATAID", "ID"), "list_must_not_be_empty|cannot be read", id="other elements"),
        pytest.param(XML.encode("utf-16"), "not UTF-8", id="another encoding"),
    ],
)
def test_a_list_that_is_not_whole_is_refused(put: Put, known_at: datetime, content: str | bytes, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        read_un_xml(put("consolidated.xml", content), known_at)
