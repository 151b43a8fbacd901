"""The desk from another system is read field by field: what cannot be believed is named, and nothing is guessed."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DeliveryRefused
from domain.opening import COLUMNS, BroughtBalance, BroughtClient, Finding, Opening, lines_of
from feeds.opening_balances import HEADERS, _rows, read_opening_database, read_opening_folder

DAY = date(2026, 6, 16)
LINES = {
    "clients": ["C1,old_system,Smith, John & Söhne", "C2,old_system,欧阳娜娜"],
    "accounts": [
        "A1,C1,US,USD,us.finra_4210,2026-01-05,old_system",
        "A2,C2,CN,CNY,cn.sse_margin_trading,2026-01-05,old_system",
    ],
    "third_parties": ["BANK,segregated_bank,1010.USD,old_system,the bank", "CSD,custodian,,old_system,the depository"],
    "balances": ["1010.USD,USD,1234.56,", "2010.A1,USD,,1234.56"],
    "positions": ["A1,US.ONE,30,CSD"],
    "contracts": ["K1,A1,USD,600.00,2026-01-05,2026-07-05"],
}

Desk = Callable[..., Path]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Writes the folder of a small desk, with the lines of some tables, or whole files, put in the place of others."""

    def write(**instead: list[str] | bytes) -> Path:
        folder = tmp_path / "desk"
        folder.mkdir(exist_ok=True)
        for table, lines in LINES.items():
            told = instead.get(table, lines)
            if isinstance(told, list):
                told = "\n".join([HEADERS[table], *told, f"#rows,{len(told)}", ""]).encode()
            (folder / f"{table}.csv").write_bytes(told)
        return folder

    return write


def where(findings: list[Finding]) -> list[tuple[str, int, str, str]]:
    return [(one.file, one.line, one.column, one.rule) for one in findings]


def test_a_good_folder_is_read_whole(desk: Desk) -> None:
    opening, findings = read_opening_folder(desk(), DAY)
    assert findings == []
    assert opening.unread == frozenset()
    assert [client.name for client in opening.clients] == ["Smith, John & Söhne", "欧阳娜娜"]
    assert opening.balances == [
        BroughtBalance(2, "1010.USD", "USD", 123_456),
        BroughtBalance(3, "2010.A1", "USD", -123_456),
    ]
    assert [party.ledger_account_id for party in opening.third_parties] == ["1010.USD", None]
    assert {table: [",".join(line) for line in lines] for table, lines in lines_of(opening).items()} == LINES


BAD_AMOUNTS = {
    "a fraction of a cent": "1.005",
    "no number": "NaN",
    "infinity": "Infinity",
    "an exponent": "1E3",
    "an exponent in small": "1e-2",
    "digits of full width": "１２３",
    "digits of another script": "١٢٣",
    "an underline": "1_000",
    "a thousands separator": "1.234.56",
    "a hexadecimal number": "0x1F",
    "blanks around": " 12 ",
    "a sign": "+12",
    "400 digits": "9" * 400,
    "a currency sign": "$12",
    "more than 64 bits": "999999999999999999",
    "nothing after the point": "12.",
    "true": "true",
}


@pytest.mark.parametrize("case", BAD_AMOUNTS)
def test_an_amount_that_is_not_plain_is_found(desk: Desk, case: str) -> None:
    folder = desk(
        balances=[f"1010.USD,USD,{BAD_AMOUNTS[case]},"],
        contracts=[f"K1,A1,USD,{BAD_AMOUNTS[case]},2026-01-05,2026-07-05"],
    )
    opening, findings = read_opening_folder(folder, DAY)
    assert where(findings) == [
        ("balances", 2, "debit", "number_must_be_plain"),
        ("contracts", 2, "principal", "number_must_be_plain"),
    ]
    assert opening.unread == {"balances", "contracts"}
    assert "plain digits with a point, no finer than the minor unit of USD" in str(findings[0])


@pytest.mark.parametrize(
    ("sides", "got"),
    [
        (",", "none"),
        ("1.00,1.00", "both"),
        ("0,", "not so much"),
        (",0.00", "not so much"),
        ("-1.00,", "not so much"),
        ("-0.00,", "not so much"),
        (",-5", "not so much"),
    ],
)
def test_a_balance_stands_on_one_side_and_is_more_than_nothing(desk: Desk, sides: str, got: str) -> None:
    _, findings = read_opening_folder(desk(balances=[f"1010.USD,USD,{sides}"]), DAY)
    assert where(findings) == [("balances", 2, "debit", "balance_must_stand_on_one_side")]
    assert findings[0].got == got


@pytest.mark.parametrize("text", ["1.5", "1e3", "", " 3", "３０", "1_000", "9" * 16, "true", "0x1F", "+3"])
def test_shares_are_whole_numbers_in_plain_digits(desk: Desk, text: str) -> None:
    _, findings = read_opening_folder(desk(positions=[f"A1,US.ONE,{text},CSD"]), DAY)
    assert where(findings) == [("positions", 2, "quantity_shares", "number_must_be_plain")]


@pytest.mark.parametrize(
    "text", ["20260105", "2026-02-30", "05.01.2026", "03/04/2026", "2026-W01-1", "2026-1-5", "2026-01-05T00:00:00", ""]
)
def test_a_day_is_written_one_way_and_exists(desk: Desk, text: str) -> None:
    _, findings = read_opening_folder(desk(contracts=[f"K1,A1,USD,600.00,{text},2026-07-05"]), DAY)
    assert where(findings) == [("contracts", 2, "opened_on", "date_must_be_readable")]


@pytest.mark.parametrize(
    ("table", "line", "column", "rule"),
    [
        ("balances", "1010.XYZ,XYZ,1.00,", "currency", "currency_must_be_known"),
        ("balances", ",USD,1.00,", "ledger_account_id", "id_must_be_plain"),
        ("contracts", "K1,A1,usd,1.00,2026-01-05,2026-07-05", "currency", "currency_must_be_known"),
        ("accounts", "=HYPERLINK(1),C1,US,USD,us.finra_4210,2026-01-05,old", "account_id", "id_must_be_plain"),
        ("accounts", "A1,Ｃ1,US,USD,us.finra_4210,2026-01-05,old", "client_id", "id_must_be_plain"),
        ("accounts", "A1,C1,US,USD,us.finra_4210,2026-01-05,Old System", "source", "source_must_be_plain"),
        ("positions", "A1,,3,CSD", "instrument_id", "id_must_be_plain"),
        ("positions", "A1,US.ONE,3", "", "columns_must_match"),
        ("balances", "1010.USD,USD,1,234.50,", "", "columns_must_match"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(desk: Desk, table: str, line: str, column: str, rule: str) -> None:
    _, findings = read_opening_folder(desk(**{table: [line]}), DAY)
    assert where(findings) == [(table, 2, column, rule)]


def test_every_finding_of_every_file_is_told_at_once(desk: Desk) -> None:
    folder = desk(balances=["1010.USD,XYZ,1e3,", "x", "2010.A1,USD,,9.999"], accounts=b"")
    (folder / "positions.csv").unlink()
    _, findings = read_opening_folder(folder, DAY)
    assert where(findings) == [
        ("accounts", 0, "", "file_must_be_readable"),
        ("balances", 2, "currency", "currency_must_be_known"),
        ("balances", 3, "", "columns_must_match"),
        ("balances", 4, "credit", "number_must_be_plain"),
        ("positions", 0, "", "file_must_be_readable"),
    ]


WHOLE = "\n".join([HEADERS["clients"], *LINES["clients"], "#rows,2", ""]).encode()
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "cut in the last line": (WHOLE[:-9], "half written"),
    "cut between two lines": (WHOLE[: WHOLE.index(b"C2")], "must end with the trailer"),
    "a byte order mark": (b"\xef\xbb\xbf" + WHOLE, "byte order mark"),
    "in GBK": (WHOLE.decode().encode("gb18030"), "not UTF-8"),
    "a NUL byte": (WHOLE.replace(b"John", b"Jo\0hn"), "NUL byte"),
    "a line of 3 MB": (WHOLE.replace(b"John", b"x" * 3_000_000), "a line over 65,536 bytes"),
    "a quote that is never closed": (WHOLE.replace(b"John", b'"John'), "a quote that is never closed"),
    "other columns": (WHOLE.replace(b"client_id,source", b"source,client_id"), "The first line must be"),
    "one column more": (WHOLE.replace(b"name\n", b"name,rank\n"), "The first line must be"),
    "lines of another system": (WHOLE.replace(b"\n", b"\r\n"), "The first line must be"),
    "nothing": (b"", "not even its header came"),
    "a trailer that counts wrongly": (WHOLE.replace(b"#rows,2", b"#rows,3"), "must end with the trailer"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_that_cannot_be_believed_is_a_finding(desk: Desk, case: str) -> None:
    content, words = BAD_FILES[case]
    opening, findings = read_opening_folder(desk(clients=content), DAY)
    assert where(findings)[0][:2] == ("clients", 0)
    assert words in findings[0].got
    assert opening.unread == {"clients"}
    assert (list(opening.clients), len(opening.accounts)) == ([], 2)
    assert "Smith" not in str(findings[0])


def test_a_link_that_leads_out_of_the_folder_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    folder = desk()
    (tmp_path / "elsewhere.csv").write_bytes((folder / "clients.csv").read_bytes())
    (folder / "clients.csv").unlink()
    (folder / "clients.csv").symlink_to(tmp_path / "elsewhere.csv")
    _, findings = read_opening_folder(folder, DAY)
    assert "a link that leads out" in findings[0].got


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefused, match=r"is no folder. Nothing was written; name the folder"):
        read_opening_folder(tmp_path / "nowhere", DAY)


def test_long_garbage_is_shown_short_and_in_escapes(desk: Desk) -> None:
    _, findings = read_opening_folder(desk(positions=[f"A1,US.ONE,{chr(27)}{'9' * 500},CSD"]), DAY)
    assert findings[0].got.startswith("'\\x1b999")
    assert len(findings[0].got) < 100


AMOUNT = st.integers(-(10**15) + 1, 10**15 - 1).filter(bool)


@given(st.lists(st.tuples(AMOUNT, st.sampled_from(["USD", "JPY", "KWD"]))), st.text())
def test_what_is_written_is_read_back_to_the_last_minor_unit(amounts: list[tuple[int, str]], name: str) -> None:
    balances = [
        BroughtBalance(line, f"1110.{currency}", currency, amount) for line, (amount, currency) in enumerate(amounts, 1)
    ]
    opening = Opening(DAY, clients=[BroughtClient(1, "C1", "old", name)], balances=balances)
    findings: list[Finding] = []
    for table, lines in lines_of(opening).items():
        numbered = [(line, list(texts)) for line, texts in enumerate(lines, 1)]
        assert list(_rows(table, numbered, findings)) == list(getattr(opening, table))
    assert findings == []


TYPES: dict[str, Any] = {
    "opened_on": sa.Date, "matures_on": sa.Date, "quantity_shares": sa.BigInteger, "debit": sa.Text, "credit": sa.Text,
    "principal": sa.Text,
}  # fmt: skip


def database(file: Path, **instead: list[dict[str, Any]]) -> str:
    """The small desk in tables of a database."""
    address = f"sqlite:///{file}"
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        for table, names in COLUMNS.items():
            columns = [sa.Column(name, TYPES.get(name, sa.Text)) for name in names]
            made = sa.Table(table, sa.MetaData(), *columns)
            made.create(connection)
            rows = [dict(zip(names, line.split(",", len(names) - 1), strict=True)) for line in LINES[table]]
            for row in instead.get(table, rows):
                told = {name: None if value == "" else value for name, value in row.items()}
                days = {name: date.fromisoformat(row[name]) for name in ("opened_on", "matures_on") if name in told}
                connection.execute(made.insert().values(**told | days))
    engine.dispose()
    return address


def test_a_database_says_the_same_as_a_folder(desk: Desk, tmp_path: Path) -> None:
    from_folder, _ = read_opening_folder(desk(), DAY)
    from_tables, findings = read_opening_database(database(tmp_path / "old #1 desk.db"), DAY)
    assert findings == []
    assert lines_of(from_tables) == lines_of(from_folder)


def test_a_database_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    address = database(file)
    before = file.read_bytes()
    file.chmod(0o400)
    read_opening_database(address, DAY)
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["old.db"]


def test_tables_and_columns_that_are_missing_are_findings(tmp_path: Path) -> None:
    address = database(tmp_path / "old.db")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE positions")
        connection.exec_driver_sql("ALTER TABLE accounts ADD COLUMN colour TEXT")
    engine.dispose()
    _, findings = read_opening_database(address, DAY)
    assert where(findings) == [("accounts", 0, "", "columns_must_match"), ("positions", 0, "", "columns_must_match")]
    assert (findings[1].got, "'colour'" in findings[0].got) == ("no such table", True)


def test_a_float_in_a_database_is_not_what_was_once_written(tmp_path: Path) -> None:
    address = database(tmp_path / "old.db")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE balances")
        connection.exec_driver_sql(
            "CREATE TABLE balances (ledger_account_id TEXT, currency TEXT, debit REAL, credit REAL)"
        )
        connection.exec_driver_sql("INSERT INTO balances VALUES ('1010.USD', 'USD', 0.1, NULL)")
    engine.dispose()
    _, findings = read_opening_database(address, DAY)
    assert where(findings) == [("balances", 1, "debit", "type_must_be_exact")]
    assert "Cast it in a view" in str(findings[0])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sqlite:///nowhere/old.db", "there is none at nowhere/old.db"),
        ("no address", "what came is neither"),
        ("nosuchdriver://desk@host/old", "what came is neither"),
        ("postgresql+psycopg://desk:verysecret@127.0.0.1:9/old?connect_timeout=2", r"desk:\*\*\*@127.0.0.1:9/old"),
    ],
)
def test_a_database_that_does_not_answer_is_told_without_its_password(address: str, words: str) -> None:
    with pytest.raises(DeliveryRefused, match=words) as refused:
        read_opening_database(address, DAY)
    assert "verysecret" not in str(refused.value)
    assert "Nothing was written" in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DeliveryRefused, match="cannot be read"):
        read_opening_database(f"sqlite:///{tmp_path / 'old.db'}", DAY)
