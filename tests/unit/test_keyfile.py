"""Keys in files: made once, whole, and readable by their owner alone."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from engine.store.keyfile import read_or_make


def test_many_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data" / "some.key"

    with ThreadPoolExecutor(16) as pool:
        keys = {*pool.map(lambda _: read_or_make(path, bytes.hex, instead="SOME_KEY"), range(64))}

    assert [len(key) for key in keys] == [64]
    assert keys == {path.read_text()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["some.key"]


def test_where_nothing_can_be_written_the_variable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError) as refused:
        read_or_make(tmp_path / "file" / "some.key", bytes.hex, instead="SOME_KEY")

    assert "some.key" in refused.value.detail
    assert "SOME_KEY" in refused.value.hint
