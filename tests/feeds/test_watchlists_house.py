"""The desk's own list is read as strictly as a statement. Every name here is invented."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.clients.watchlists import ListedName, Quality
from domain.errors import DeliveryRefused
from feeds.watchlists_house import HEADER, read_house_list

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 17)
LINES = (
    "H1,individual,顾沃凡,primary,1968-12-10,China,X-1,pooled control,house",
    "H1,individual,Gu Wofan,strong,,,,,house",
    "H2,entity,Velmoor Holding,primary,,KP,,fraud,house",
)


def house_list(*lines: str) -> str:
    return "\n".join([HEADER, *lines, f"#rows,{len(lines)}", ""])


def test_lines_of_one_entry_are_put_together(put: Put, known_at: datetime) -> None:
    found = read_house_list(put("house.csv", house_list(*LINES)), DAY, known_at)
    assert found.quarantined.empty
    person, firm = found.watchlist.entries
    assert person.names == (ListedName("顾沃凡"), ListedName("Gu Wofan", Quality.strong))
    assert (person.countries, person.documents, person.programs) == (("CN",), ("X1",), ("pooled control",))
    assert (firm.entry_id, firm.countries) == ("H2", ("KP",))
    assert found.watchlist.published_on == DAY


@pytest.mark.parametrize(
    "line",
    ["H3,robot,X,primary,,,,,house", "H3,entity,X,best,,,,,house", "H3,entity,X,primary,,,,house", "H3,entity,A,B,C"],
)
def test_a_line_of_another_form_is_held_back(put: Put, known_at: datetime, line: str) -> None:
    found = read_house_list(put("house.csv", house_list(*LINES, line)), DAY, known_at)
    assert found.quarantined[["reason", "raw_text", "line"]].to_numpy().tolist() == [["columns_must_match", line, 5]]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(house_list(*LINES)[:60], "half written", id="cut within a line"),
        pytest.param("\n".join([HEADER, *LINES[:1], ""]), "#rows,1", id="cut at a line"),
        pytest.param(house_list(), "list_must_not_be_empty", id="an empty list"),
        pytest.param(house_list(*LINES).replace("entry_id", "id", 1), "columns_must_match", id="other columns"),
        pytest.param(house_list(*LINES).encode("gbk"), "not UTF-8", id="another encoding"),
    ],
)
def test_a_list_that_is_not_whole_is_refused(put: Put, known_at: datetime, content: str | bytes, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        read_house_list(put("house.csv", content), DAY, known_at)
