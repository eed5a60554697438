"""Routes that a command keeps in a file: the form of GATEHOUSE_MODELS, which counts over it, alias by alias."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from contracts.errors import ConfigurationError, NotFound
from engine.credentials.references import is_reference
from engine.models.settings import ModelSettings, require_names, wrapped

FILE = "models.json"
"""In the home folder, unless the settings name another."""

Said = dict[str, Any]


class KeptRoutes(PydanticBaseSettingsSource):
    """The file as a source of settings, below all others: `models_file`, or one in the folder `home`."""

    def __init__(self, settings: type[BaseSettings], home: Path) -> None:
        super().__init__(settings)
        self._home = home

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: the source gives one field as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        state = self.current_state
        path = Path(state.get("models_file") or Path(state.get("home") or self._home) / FILE)
        kept = read_routes(path)
        if state.get("model"):  # it answers for every alias that is not named
            kept.pop("*", None)
        return {"models": kept} if kept else {}


def read_routes(path: Path) -> dict[str, list[Said]]:
    """Routes by alias; none where there is no file. Raises `ConfigurationError` naming the file."""
    try:
        found = wrapped(json.loads(path.read_text())) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.", hint="Write it as GATEHOUSE_MODELS.") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} holds no JSON object of routes by alias.")
    return found


def keep_routes(path: Path, routes: dict[str, list[Said]]) -> None:
    """Keep them whole or not at all. Raises `ConfigurationError` where the file cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(json.dumps(routes, indent=2, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}.", hint="Let GATEHOUSE_MODELS_FILE name a file of yours."
        ) from error


def with_route(routes: list[Said], name: str, said: Said, place: int | None) -> list[Said]:
    """The routes with what is `said` of the one called `name`, or with one more, which then is the last.

    `place` counts from one. Raises `ConfigurationError` for what is no route, and for a key that is not a reference.
    """
    labels = list(map(label_of, routes))
    changed = {**(routes[labels.index(name)] if name in labels else {}), **said}
    route = _route(changed)
    if not is_reference(key := route.api_key.get_secret_value()) and key != "none":
        raise ConfigurationError(
            "A key on a command line stays in the shell's history, and this file is no place for secrets.",
            hint="Give a reference to it: api_key=secret://env/NAME or secret://file/PATH.",
        )
    others = [each for each, label in zip(routes, labels, strict=True) if label != name]
    at = place - 1 if place else labels.index(name) if name in labels else len(others)
    found = [*others[:at], changed, *others[at:]]
    try:
        require_names("", [_route(each) for each in found])
    except ValueError:
        raise ConfigurationError(
            f"There is another route called {route.label!r}.", hint="Give this one a name of its own: name=…"
        ) from None
    return found


def without_route(routes: list[Said], name: str) -> list[Said]:
    """The routes but for the one called `name`. Raises `NotFound`."""
    left = [each for each in routes if label_of(each) != name]
    if len(left) == len(routes):
        known = ", ".join(map(label_of, routes)) or "none"
        raise NotFound(f"No kept route is called {name!r}.", hint=f"There are: {known}.")
    return left


def label_of(said: Said) -> str:
    """How a kept route is called. Raises `ConfigurationError` for what is none."""
    return _route(said).label


def _route(said: Said) -> ModelSettings:
    try:
        return ModelSettings.model_validate(said)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise ConfigurationError(f"That is no route. {'; '.join(problems)}") from None
