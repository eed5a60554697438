"""Prompt files: YAML front matter (model alias, limits) and the system text. Data never goes into the text."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import yaml

from contracts.errors import ConfigurationError


@dataclass(frozen=True)
class Prompt:
    """One file of `graphs/<workflow>/prompts`."""

    name: str
    alias: str
    """Which model answers: an alias that configuration maps to a route."""
    max_tokens: int
    system: str
    max_context: int = 8_000
    """Tokens, about, that it may give a model to read, its own text among them."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.system.encode()).hexdigest()


def load_prompts(folder: Path) -> dict[str, Prompt]:
    """Every prompt of a workflow by name; none if it has no such folder. Raises `ConfigurationError`."""
    return {path.stem: _load(path) for path in sorted(folder.glob("*.md"))}


def _load(path: Path) -> Prompt:
    try:
        _, front, text = path.read_text().split("---\n", 2)
        head = yaml.safe_load(front)
        most = int(head.get("max_context", Prompt.max_context))
        return Prompt(path.stem, str(head["model"]), int(head["max_tokens"]), text.strip(), most)
    except (ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"Prompt {path.name!r} has no readable front matter: {error!r}.",
            hint="Start the file with '---', 'model: <alias>', 'max_tokens: <number>', '---'; max_context may be there",
        ) from error
