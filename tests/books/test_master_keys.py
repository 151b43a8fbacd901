"""A master key is there whole and for its owner only, or the desk is told in words that never hold it."""

import stat
from pathlib import Path

import pytest

from books.master_keys import add_master_key, load_master_keys, make_master_key, master_key_id, new_master_key
from domain.errors import MasterKeyNotUsable

KEY, OTHER = new_master_key(), new_master_key()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def test_a_key_made_is_read_back_by_its_owner_only(file: Path) -> None:
    made = make_master_key(file)
    assert load_master_keys(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(MasterKeyNotUsable, match=r"there is one already.*Nothing was written"):
        make_master_key(file)
    assert load_master_keys(file) == made
    assert [path.name for path in file.parent.iterdir()] == ["master.key"]


def test_a_key_added_is_the_one_in_use_and_the_old_one_stays(file: Path) -> None:
    first = make_master_key(file)
    second = add_master_key(file)
    assert list(second.by_id)[:1] == [first.current]
    assert list(second.by_id)[-1] == second.current != first.current
    assert second.by_id[first.current] == first.by_id[first.current]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_keys_of_a_setting_stand_between_commas() -> None:
    keys = load_master_keys(f"{KEY},{OTHER}")
    assert list(keys.by_id) == [*load_master_keys(KEY).by_id, *load_master_keys(OTHER).by_id]
    assert keys.current == load_master_keys(OTHER).current
    assert load_master_keys(f"# in use since June\n{KEY}  # the first\n\n").by_id == load_master_keys(KEY).by_id
    assert load_master_keys(f"{KEY},{OTHER},{KEY}").current == load_master_keys(KEY).current


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing does"),
        ("# only a remark", "nothing does"),
        (KEY[:-1], "Line 1 of the setting .*its 43 characters are not"),
        (KEY[:20], "its 20 characters are not"),
        (f"{KEY},{OTHER[:-4]}", "Line 2 of the setting"),
        ("correct horse battery staple", "its 28 characters are not"),
        (KEY + "AAAA", "its 48 characters are not"),
        ("é" * 44, "its 44 characters are not"),
    ],
    # Without the keys themselves, which are new in every process.
    ids=["nothing", "a remark", "cut by one", "cut in half", "second cut", "words", "too long", "no base64"],
)
def test_a_key_that_is_not_whole_is_refused_without_being_shown(text: str, said: str) -> None:
    with pytest.raises(MasterKeyNotUsable, match=said) as refused:
        load_master_keys(text)
    assert KEY[:12] not in str(refused.value)
    assert not text or text not in str(refused.value)


def test_a_key_file_that_is_missing_or_open_to_others_is_refused(file: Path) -> None:
    with pytest.raises(MasterKeyNotUsable, match="cannot be read: No such file"):
        load_master_keys(file)
    make_master_key(file)
    file.chmod(0o640)
    with pytest.raises(MasterKeyNotUsable, match=r"mode 600.*its mode is 640"):
        load_master_keys(file)
    file.chmod(0o600)
    file.write_bytes(b"\xff\xfe" * 22)
    with pytest.raises(MasterKeyNotUsable, match=r"Line 1 of .*must be the base64"):
        load_master_keys(file)


def test_no_key_is_seen_in_what_is_shown_of_it() -> None:
    keys = load_master_keys(KEY)
    assert KEY not in repr(keys)
    assert "by_id" not in repr(keys)
    assert len(master_key_id(keys.by_id[keys.current])) == 12
