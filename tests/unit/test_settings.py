"""Settings come from the environment and, for containers, from files."""

from pathlib import Path

import pytest

from contracts.errors import ConfigurationError
from engine.settings import read_settings


def test_secrets_are_read_from_files_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "DATABASE_URL").write_text("postgresql://me:from-file@db/x\n")
    (tmp_path / "GATEHOUSE_SEAL_KEY").write_text("ab" * 32 + "\n")
    (tmp_path / "GATEHOUSE_SYSTEM_TOKENS").write_text('{"billing": "token-from-file"}')
    monkeypatch.setenv("GATEHOUSE_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("GATEHOUSE_SEAL_KEY", "cd" * 32)

    settings = read_settings()

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://me:from-file@db/x"
    assert settings.seal_key.get_secret_value() == "cd" * 32
    assert {"from-file", "token-from-file"} <= set(settings.secrets().values())


def test_a_folder_of_secrets_that_is_missing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_SECRETS_DIR", str(tmp_path / "nowhere"))

    with pytest.raises(ConfigurationError, match="GATEHOUSE_SECRETS_DIR"):
        read_settings()


def test_an_empty_variable_counts_as_missing_and_an_empty_secret_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEHOUSE_SYSTEMS", "")
    monkeypatch.setenv("DATABASE_URL", "")

    assert (read_settings().systems, read_settings().database_url) == ({}, None)

    (tmp_path / "DATABASE_URL").write_text("\n")
    monkeypatch.setenv("GATEHOUSE_SECRETS_DIR", str(tmp_path))
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        read_settings()


@pytest.mark.parametrize("variable", ["DATABASE_URL", "GATEHOUSE_POOL_URL"])
@pytest.mark.parametrize("address", ["pa55word", "postgres//me:pa55word@db", "host='pa55word"])
def test_an_address_that_cannot_be_read_is_refused_and_not_shown(
    variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, address)

    with pytest.raises(ConfigurationError, match="cannot be read") as refused:
        read_settings()

    assert variable.removeprefix("GATEHOUSE_").lower() in refused.value.detail.lower()
    assert "pa55word" not in refused.value.detail
