"""Log lines say what they are about and keep secrets to themselves."""

import json
import logging
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from engine.settings import Settings, read_settings
from engine.traces.ids import about, also_about
from engine.traces.logs import JsonLines, TextLines, set_up_logs


def _record(message: str, *args: object, facts: dict[str, Any] | None = None, error: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if error else None
    record = logging.LogRecord("gatehouse.worker", logging.INFO, __file__, 1, message, args, info)
    if facts:
        record.facts = facts
    return record


def _json(record: logging.LogRecord, *secrets: str) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(JsonLines(secrets).format(record))
    return line


def test_a_json_line_has_time_level_logger_and_message() -> None:
    line = _json(_record("run %s failed", "r1"))

    assert line["time"].endswith("Z")
    assert (line["level"], line["logger"], line["message"]) == ("info", "gatehouse.worker", "run r1 failed")


def test_a_line_carries_the_ids_of_its_task_and_its_own_facts() -> None:
    with about(run_id="r1", tenant="t1"):
        also_about(principal="key:ada")
        inside = _json(_record("x", facts={"status": 200}))
    outside = _json(_record("x"))

    assert {n: inside[n] for n in ("run_id", "tenant", "principal", "status")} == {
        "run_id": "r1",
        "tenant": "t1",
        "principal": "key:ada",
        "status": 200,
    }
    assert {"run_id", "principal"} & set(outside) == set()


@pytest.mark.parametrize("secret", ["s3cret-value", 'with "quotes" and \\', "ünïcode-secret"])
@pytest.mark.parametrize("lines", [JsonLines, TextLines])
def test_a_known_secret_is_masked_wherever_it_stands(lines: type[JsonLines | TextLines], secret: str) -> None:
    try:
        raise ValueError(f"password is {secret}")
    except ValueError:
        record = _record("sent %s", secret, facts={"header": f"Bearer {secret}"}, error=True)

    written = lines([secret]).format(record)

    assert secret not in written
    assert json.dumps(secret)[1:-1] not in written
    assert written.count("[secret]") == 3


def test_what_looks_like_a_key_or_a_password_is_masked_without_being_known() -> None:
    key = "gh_0a1b2c3d_" + "Ab-_" * 10
    line = _json(_record(f"{key} at postgresql://me:pa55word@host/db and password=hunter2 'x'"))

    assert "Ab-_" not in line["message"]
    assert "pa55word" not in line["message"]
    assert "hunter2" not in line["message"]
    assert "host/db" in line["message"]


def test_text_from_outside_cannot_forge_a_line() -> None:
    record = _record("unknown %s", "x\n2026-01-01 ERROR forged\r\x1b[2J")

    assert len(TextLines(()).format(record).splitlines()) == 1
    assert "\x1b" not in TextLines(()).format(record)
    assert len(JsonLines(()).format(record).splitlines()) == 1


CONFIGURED: dict[str, Any] = {
    "DATABASE_URL": "host=db user=me password=db-password",
    "pool_url": "postgresql://me:pool-password@pooler/db",
    "read_url": "postgresql://me:read-password@replica/db",
    "seal_key": "ab" * 32,
    "webhook_secret": "whsec_secret",
    "temporal_api_key": "temporal-key",
    "model": "m",
    "model_api_key": "model-key",
    "models": {"fast": {"model": "n", "api_key": "fast-key"}},
    "system_tokens": {"billing": "billing-token"},
    "otlp_headers": {"x-key": "otlp-key"},
}
GIVEN = {
    "db-password",
    "pool-password",
    "read-password",
    "ab" * 32,
    "model-key",
    "fast-key",
    "billing-token",
    "otlp-key",
}


def test_every_secret_setting_is_known_to_the_logs() -> None:
    settings = read_settings(**CONFIGURED)

    found = set(settings.secrets().values())

    assert found >= GIVEN
    own = [value for _, value in settings if isinstance(value, SecretStr)]
    named = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert len(own) == len(named - {"system_tokens", "otlp_headers"})
    assert {secret.get_secret_value() for secret in own} - {""} <= found


def test_lines_are_json_unless_somebody_watches_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    try:
        set_up_logs("auto", "WARNING")
        assert isinstance(root.handlers[0].formatter, TextLines)
        set_up_logs("json", "WARNING")
        assert isinstance(root.handlers[0].formatter, JsonLines)
    finally:
        root.handlers, root.level = kept, level
