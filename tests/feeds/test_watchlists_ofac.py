"""OFAC's list is read in both its layouts to the same entries. Every name and number here is invented."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.clients.watchlists import BirthSpan, ListedName, Quality, list_delta
from domain.errors import DeliveryRefused
from feeds.watchlists_ofac import read_ofac_csv, read_ofac_xml

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 15)

SDN = (
    '101,"QUORVAN, Teodric","individual","SDGT] [IRAN","Director",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"DOB 10 Dec 1968; alt. '
    "DOB 1970; POB Tehran, Iran; nationality Iran; alt. nationality Syria; Passport X1234567 (Iran) expires 01 Sep "
    "2030; National ID No. 555-66 (Iran); a.k.a. 'THE OWL'; (individual).\"\r\n"
    '102,"VELMOOR SHIPPING LLC",-0- ,"SDGT",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n'
    '103,"SEA LARK","vessel","IRAN",-0- ,"HBKQ1","Crude Oil Tanker",-0- ,-0- ,"Panama",-0- ,"Vessel Registration '
    'Identification IMO 9000001; (vessel)."\r\n'
)
ADD = (
    '101,1,"1 Invented Road","Tehran",Iran,-0- \r\n102,2,-0- ,"Pyongyang","Korea, North",-0- \r\n'
    '103,3,"1 Invented Pier",-0- ,-0- ,-0- \r\n'
)
ALT = '101,11,"aka","KWORVAN, Theodoric",-0- \r\n102,12,"fka","VELMOOR ""LINES""",-0- \r\n'
END = "\x1a"

XML = """<?xml version="1.0" standalone="yes"?>
<sdnList xmlns="urn:invented"><publshInformation><Publish_Date>06/15/2026</Publish_Date><Record_Count>3</Record_Count>
</publshInformation>
<sdnEntry><uid>101</uid><firstName>Teodric</firstName><lastName>QUORVAN</lastName><sdnType>Individual</sdnType>
<programList><program>SDGT</program><program>IRAN</program></programList>
<idList><id><uid>1</uid><idType>Passport</idType><idNumber>X1234567</idNumber></id></idList>
<akaList><aka><uid>11</uid><type>a.k.a.</type><category>strong</category><lastName>KWORVAN</lastName>
<firstName>Theodoric</firstName></aka>
<aka><uid>13</uid><type>a.k.a.</type><category>weak</category><lastName>THE OWL</lastName></aka></akaList>
<nationalityList><nationality><uid>5</uid><country>Iran</country></nationality></nationalityList>
<dateOfBirthList><dateOfBirthItem><uid>6</uid><dateOfBirth>10 Dec 1968</dateOfBirth></dateOfBirthItem></dateOfBirthList>
</sdnEntry>
<sdnEntry><uid>102</uid><lastName>VELMOOR SHIPPING LLC</lastName><sdnType>Entity</sdnType><addressList>
<address><uid>2</uid><country>Korea, North</country></address></addressList></sdnEntry>
<sdnEntry><uid>103</uid><lastName>SEA LARK</lastName><sdnType>Vessel</sdnType></sdnEntry>
</sdnList>
"""


@pytest.fixture
def trio(put: Put) -> Path:
    put("SDN.CSV", SDN + END)
    put("add.csv", ADD)
    return put("ALT.CSV", ALT + END + "\r\n").parent


def test_three_files_become_one_list(trio: Path, known_at: datetime) -> None:
    found = read_ofac_csv(trio, DAY, known_at)
    assert found.quarantined.empty
    person, firm, vessel = found.watchlist.entries
    assert person.names == (
        ListedName("QUORVAN, Teodric"),
        ListedName("KWORVAN, Theodoric", Quality.strong),
        ListedName("THE OWL", Quality.weak),
    )
    assert person.births == (
        BirthSpan(date(1968, 12, 10), date(1968, 12, 10)),
        BirthSpan(date(1970, 1, 1), date(1970, 12, 31)),
    )
    assert person.countries == ("IR", "SY")
    assert person.documents == ("X1234567", "55566")
    assert person.programs == ("SDGT", "IRAN")
    assert (firm.kind, firm.names[1].text, firm.countries) == ("entity", 'VELMOOR "LINES"', ("KP",))
    assert (vessel.kind, vessel.documents, vessel.countries) == ("vessel", ("9000001",), ("PA",))
    assert (found.watchlist.name, found.watchlist.published_on) == ("us.ofac_sdn", DAY)


def test_one_file_says_the_same_and_its_own_day(put: Put, trio: Path, known_at: datetime) -> None:
    found = read_ofac_xml(put("sdn.xml", XML), known_at)
    assert found.quarantined.empty
    assert found.watchlist.published_on == DAY
    person, firm, _ = found.watchlist.entries
    csv_person, csv_firm, _ = read_ofac_csv(trio, DAY, known_at).watchlist.entries
    assert person.names == csv_person.names
    assert (person.births[0], person.countries, person.programs) == (csv_person.births[0], ("IR",), csv_person.programs)
    assert (firm.kind, firm.countries) == (csv_firm.kind, csv_firm.countries)


def test_a_change_of_one_entry_is_a_new_version_and_a_small_delta(put: Put, trio: Path, known_at: datetime) -> None:
    old = read_ofac_csv(trio, DAY, known_at).watchlist
    put("ALT.CSV", ALT + '103,14,"aka","SEA OWL",-0- \r\n')
    new = read_ofac_csv(trio, date(2026, 6, 16), known_at, old).watchlist
    assert new.version != old.version
    delta = list_delta(old, new)
    assert (delta.added, delta.changed, delta.removed) == ((), ("103",), ())


def test_the_same_bytes_are_the_same_version(trio: Path, known_at: datetime) -> None:
    once, again = (read_ofac_csv(trio, DAY, known_at).watchlist for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        pytest.param("SDN.CSV", "", "is empty", id="an empty list"),
        pytest.param("SDN.CSV", END, "list_must_not_be_empty|lacks", id="nothing but the end mark"),
        pytest.param("SDN.CSV", SDN[: len(SDN) // 2], "half written|never|cannot be split", id="cut within a line"),
        pytest.param(
            "SDN.CSV", SDN.split("\r\n")[0] + "\r\n", "speaks of entry 102, which SDN.CSV lacks", id="cut at a line"
        ),
        pytest.param("SDN.CSV", SDN.replace("101,", "101;", 1), "columns_must_match", id="another separator"),
        pytest.param("SDN.CSV", "ent_num,SDN_Name\n" + SDN, "columns_must_match", id="other columns"),
        pytest.param("SDN.CSV", (SDN + "é").encode("latin-1"), "not UTF-8", id="another encoding"),
        pytest.param("SDN.CSV", SDN.encode("utf-16"), "not UTF-8", id="two bytes a letter"),
        pytest.param("SDN.CSV", SDN + '104,"OPEN', "half written", id="a quote never closed"),
        pytest.param("SDN.CSV", SDN + '104,"OPEN\n', "cannot be split", id="a quote never closed before the end"),
        pytest.param("ALT.CSV", ALT[:-10], "half written", id="aliases cut within a line"),
        pytest.param(
            "ADD.CSV", '999,1,-0- ,-0- ,"Iran",-0- \r\n', "entry 999, which SDN.CSV lacks", id="a stray address"
        ),
        pytest.param("ALT.CSV", "<html>blocked</html>\n", "columns_must_match", id="a page of an error"),
    ],
)
def test_a_trio_that_is_not_whole_is_refused(
    put: Put, trio: Path, known_at: datetime, file: str, content: str | bytes, why: str
) -> None:
    (trio / "add.csv").rename(trio / "ADD.CSV")
    put(file, content)
    with pytest.raises(DeliveryRefused, match=f"{why}(?s:.*)list in force stays"):
        read_ofac_csv(trio, DAY, known_at)


def test_a_missing_file_of_the_three_refuses_all(trio: Path, known_at: datetime) -> None:
    (trio / "ALT.CSV").unlink()
    with pytest.raises(DeliveryRefused, match=r"ALT\.CSV was refused.*cannot be opened"):
        read_ofac_csv(trio, DAY, known_at)


def test_aliases_cut_at_a_line_show_against_the_list_in_force(put: Put, trio: Path, known_at: datetime) -> None:
    old = read_ofac_csv(trio, DAY, known_at).watchlist
    put("ALT.CSV", ALT.split("\r\n")[0] + "\r\n")
    put("SDN.CSV", SDN.replace("; a.k.a. 'THE OWL'", ""))
    with pytest.raises(DeliveryRefused, match="the list had 6 names and would have 4"):
        read_ofac_csv(trio, DAY, known_at, old)


def test_one_line_that_cannot_be_read_is_held_back(put: Put, trio: Path, known_at: datetime) -> None:
    put("SDN.CSV", SDN + "104,broken\r\n")
    found = read_ofac_csv(trio, DAY, known_at)
    assert len(found.watchlist.entries) == 3
    assert found.quarantined[["reason", "raw_text", "line"]].to_numpy().tolist() == [
        ["columns_must_match", "104,broken", 4]
    ]


COUNT = "<Record_Count>3</Record_Count>"
ENTITY = '<!DOCTYPE sdnList [<!ENTITY x "y">]>'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(XML[: len(XML) // 2], "cut off or is no XML", id="cut in half"),
        pytest.param(XML.replace(COUNT, COUNT.replace("3", "4")), "says it holds 4 records, but holds 3", id="a count"),
        pytest.param(XML.replace(COUNT, ""), "says it holds no number of records", id="no count"),
        pytest.param(XML.replace("06/15/2026", ""), "day of publication", id="no day"),
        pytest.param(XML.replace("sdnList", "sdnlist"), "the root must be 'sdnList'", id="another root"),
        pytest.param("<sdnList/>", "says it holds no number of", id="an empty list"),
        pytest.param(ENTITY + XML[XML.index("<sdnList") :], "declares a document type", id="an entity"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(put: Put, known_at: datetime, content: str, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        read_ofac_xml(put("sdn.xml", content), known_at)
