"""Routes that `gatehouse models set` keeps, and what counts over them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from contracts.errors import ConfigurationError
from engine.configured import routes_of
from engine.settings import read_settings

Command = Callable[..., Result]
KEY = "api_key=secret://env/SOME_KEY"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path))
    return tmp_path / "models.json"


@pytest.fixture
def models(file: Path) -> Command:
    return lambda *words: CliRunner().invoke(app, ["models", *words])


def order(alias: str = "writer") -> list[str]:
    found = routes_of(read_settings()).get(alias)
    return [route.label for route in found.routes] if found else []


def test_a_route_is_added_changed_moved_and_taken_out(models: Command) -> None:
    assert models("set", "writer", "model=m", "region=eu", 'residency=["health"]', KEY).exit_code == 0
    models("set", "writer", "model=n", "--route", "n")
    assert order() == ["m@eu", "n"]

    models("set", "writer", "timeout_s=5", "--route", "n", "--place", "1")
    assert order() == ["n", "m@eu"]
    assert routes_of(read_settings())["writer"].routes[0].timeout_s == 5

    models("unset", "writer", "--route", "n")
    assert order() == ["m@eu"]
    models("unset", "writer")
    assert order() == []


def test_whom_a_change_concerns_is_told_before_it_is_made(models: Command, file: Path) -> None:
    told = json.loads(models("set", "writer", "model=m", "--dry-run", "--json").stdout)

    assert (told["kept"], told["new_version_of"], file.exists()) == (False, ["billing_dispute"], False)


def test_the_environment_counts_over_the_file(models: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    models("set", "writer", "model=kept")
    models("set", "*", "model=for-all-others")
    monkeypatch.setenv("GATEHOUSE_MODELS", '{"writer": {"model": "said"}}')
    told = models("set", "writer", "model=other")

    assert (order(), order("*")) == (["said"], ["for-all-others"])
    assert "Not counted" in told.stdout
    monkeypatch.setenv("GATEHOUSE_MODEL", "default")
    assert order("*") == ["default"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["set", "api_key=sk-123456"], "a reference"),
        (["set", "colour=red"], "colour"),
        (["set", "model"], "no member with its value"),
        (["unset", "--route", "nobody"], "There are: m@eu"),
        (["set", "model=m", "region=eu", "--route", "another"], "another route called"),
        (["set"], "Nothing was said"),
    ],
)
def test_what_is_no_route_changes_nothing_and_shows_no_key(
    models: Command, file: Path, words: list[str], says: str
) -> None:
    models("set", "writer", "model=m", "region=eu")
    before = file.read_text()
    told = models(words[0], "writer", *words[1:])

    assert (told.exit_code, says in told.stderr, file.read_text()) == (2, True, before)
    assert "sk-123456" not in told.stderr


@pytest.mark.parametrize("text", ['{"writer": 3', "[1]", '{"writer": {"model": "m", "colour": "red"}}'])
def test_a_broken_file_is_named_and_nothing_starts_with_it(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=r"models"):
        read_settings()


def test_what_is_kept_of_a_key_is_where_it_is(models: Command, file: Path) -> None:
    models("set", "writer", "model=m", KEY)
    kept: dict[str, list[dict[str, Any]]] = json.loads(file.read_text())

    assert kept == {"writer": [{"model": "m", "api_key": "secret://env/SOME_KEY"}]}
