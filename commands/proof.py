"""What the audit commands trust: this installation's keys, its anchors, receipts that somebody kept."""

import json
from collections.abc import Sequence
from pathlib import Path

from contracts.errors import ConfigurationError
from engine.audit.anchors import FileAnchor, read_anchors
from engine.audit.evidence import Evidence
from engine.audit.receipts import Receipt
from engine.audit.signing import Signer, audit_signer, ring_of
from engine.credentials.references import reveal
from engine.settings import read_settings


def this_signer() -> Signer:
    """The key of this installation. Raises `ConfigurationError` where it has none."""
    settings = read_settings()
    configured = reveal(settings.audit_key)
    if not configured and not (settings.home / "audit.key").exists():
        raise ConfigurationError(
            "This data folder has no audit.key, so nothing that servers and workers signed can be checked.",
            hint="Set GATEHOUSE_AUDIT_KEY as they have it, or name their public key with --public-key.",
        )
    return audit_signer(configured, settings.audit_old_keys, settings.home)


def evidence_of(anchors: Path | None, receipts: Sequence[Path], publics: Sequence[str]) -> Evidence:
    """What chains are held against. Raises `ConfigurationError`, `AnchorRefused`."""
    settings = read_settings()
    ring = ring_of(publics) if publics else this_signer().ring
    ours = FileAnchor(settings.audit_anchors or settings.home / "anchors").path
    place = anchors or (ours if ours.exists() else None)
    anchored = tuple(read_anchors(place)) if place else ()
    return Evidence(ring, anchored, tuple(map(_receipt, receipts)))


def _receipt(path: Path) -> Receipt:
    try:
        said = json.loads(path.read_text())
        found = said.get("receipt", said)
        return {**found, "stream": str(found["stream"]), "seq": int(found["seq"])}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigurationError(f"{path} holds no receipt: {error}.") from error
