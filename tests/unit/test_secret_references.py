"""Secrets are named where they are configured and read where they are used."""

import os
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from contracts.errors import ConfigurationError, ModelUnavailable, SecretMissing, ToolUnavailable
from engine.credentials.redactor import KNOWN
from engine.credentials.references import SOURCES, reveal
from engine.gateway.systems import Systems
from engine.models.route import Route, chat_model
from engine.operations.doctor.secrets_named import examine_secrets
from engine.settings import read_settings


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "shop-token-1")
    (tmp_path / "token").write_text("file-token-1\n")

    assert reveal("secret://env/SHOP_TOKEN") == "shop-token-1"
    assert reveal(SecretStr(f"secret://file{tmp_path}/token")) == "file-token-1"
    assert reveal("written-out-1") == "written-out-1"
    assert {"shop-token-1", "file-token-1", "written-out-1"} <= KNOWN.secrets


def test_a_file_that_was_exchanged_counts_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old-token-1")
    first = reveal(f"secret://file{path}")

    (tmp_path / "next").write_text("new-token-1")
    os.replace(tmp_path / "next", path)

    assert (first, reveal(f"secret://file{path}")) == ("old-token-1", "new-token-1")


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        ("secret://env/NOT_SET_ANYWHERE", SecretMissing),
        ("secret://file/no/such/file", SecretMissing),
        ("secret://file/dev/null", SecretMissing),
        ("secret://file/", ConfigurationError),
        ("secret://vault/kv/x", ConfigurationError),
    ],
)
def test_what_cannot_be_read_is_named_and_says_what_to_do(reference: str, error: type[ConfigurationError]) -> None:
    with pytest.raises(error) as failed:
        reveal(reference)

    assert reference.split("/")[2] in failed.value.detail
    assert failed.value.hint or isinstance(failed.value, SecretMissing)


def test_another_kind_of_source_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    class Vault:
        def read(self, name: str) -> str:
            return f"{name}-from-the-vault"

    monkeypatch.setitem(SOURCES, "vault", Vault())

    assert reveal("secret://vault/kv/shop") == "kv/shop-from-the-vault"


async def test_a_token_is_read_for_each_request(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first-token")
    systems = Systems({}, {"shop": SecretStr(f"secret://file{path}")})

    before = systems.token("shop")
    path.write_text("second-token!")
    after = systems.token("shop")
    path.unlink()

    assert (before, after, systems.token("mail")) == ("first-token", "second-token!", None)
    with pytest.raises(ToolUnavailable, match=r"token is missing.*secret://file"):
        systems.token("shop")


async def test_a_model_without_its_key_is_not_asked() -> None:
    route = Route("m", SecretStr("secret://env/NOT_SET_ANYWHERE"))

    async with httpx.AsyncClient() as http:
        with pytest.raises(ModelUnavailable, match="secret://env/NOT_SET_ANYWHERE"):
            chat_model(route, http, max_tokens=1)


def test_settings_show_the_reference_and_never_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_DSN", "postgresql://me:db-pass-word-1@db/x")
    settings = read_settings(
        DATABASE_URL="secret://env/THE_DSN",
        system_tokens={"shop": "secret://env/NOT_SET_ANYWHERE"},
        webhook_secret="secret://file/no/such/file",
    )

    dumped = repr(settings) + str(settings.model_dump()) + settings.model_dump_json()
    told = [finding for finding in examine_secrets(settings) if finding.state == "fail"]

    assert "db-pass-word-1" not in dumped
    assert settings.secrets()["DATABASE_URL password"] == "db-pass-word-1"
    assert {finding.check for finding in told} == {
        "secret GATEHOUSE_SYSTEM_TOKENS shop",
        "secret GATEHOUSE_WEBHOOK_SECRET",
    }
    assert "db-pass-word-1" not in str(told)
