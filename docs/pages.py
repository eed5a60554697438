"""Reference pages that are read from the code: errors and settings."""

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from contracts import errors
from contracts.errors import GatehouseError
from docs.markdown import page, table
from engine.models.settings import ExperimentSettings, ModelSettings, ShadowSettings
from engine.notifications.routes import Route
from engine.settings import Settings

_HEAD = ("default", "type", "meaning")


def error_classes() -> list[type[GatehouseError]]:
    """Every error of the one tree, in the order of their definition."""
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatehouseError)]


def errors_page() -> str:
    """What can go wrong: code, status, who recovers, whether to try again, meaning."""
    rows = [
        (f"`{kind.code}`", str(kind.status), kind.category, "yes" if kind.retryable else "no", meaning_of(kind))
        for kind in error_classes()
    ]
    lead = (
        "Every error that Gatehouse raises on purpose, from `contracts/errors.py`. Over HTTP each is a problem document"
        " (RFC 9457) with `type` `urn:gatehouse:problem:<code>`; a code is stable and never used again for something"
        " else. `category` says whose move it is: a `model` error is put to the model again, a `tool` error is tried"
        " again where that is safe or handed to a person, `logic` and `access` errors are refused, and `engine` errors"
        " are for whoever runs the installation."
    )
    return page("Errors", lead, table(("code", "HTTP", "category", "retryable", "meaning"), rows))


def meaning_of(kind: type[GatehouseError]) -> str:
    """The first line of the class's docstring."""
    return (kind.__doc__ or "").strip().splitlines()[0]


def settings_page() -> str:
    """Every environment variable with type, default and meaning."""
    prefix = str(Settings.model_config.get("env_prefix", ""))
    rows = [(f"`{_variable(prefix, name, field)}`", *_facts(field)) for name, field in Settings.model_fields.items()]
    parts = [_members(kind) for kind in (ModelSettings, ExperimentSettings, ShadowSettings, Route)]
    lead = (
        "Environment variables, read once at start, from `engine/settings.py`. Lists and objects are written as JSON."
    )
    of_models = f"An entry of `{prefix}MODELS` is an object with these members, or a list of such objects:"
    heads = [
        of_models,
        *(f"An entry of `{prefix}{name}`:" for name in ("MODEL_EXPERIMENTS", "MODEL_SHADOWS", "NOTIFY")),
    ]
    members = [text for head, part in zip(heads, parts, strict=True) for text in (head, part)]
    return page("Settings", lead, table(("variable", *_HEAD), rows), *members)


def _members(kind: type[BaseModel]) -> str:
    return table(("member", *_HEAD), [(f"`{name}`", *_facts(field)) for name, field in kind.model_fields.items()])


def settings_variables() -> set[str]:
    """The name of every environment variable that is a setting."""
    prefix = str(Settings.model_config.get("env_prefix", ""))
    return {_variable(prefix, name, field) for name, field in Settings.model_fields.items()}


def _variable(prefix: str, name: str, field: FieldInfo) -> str:
    return str(field.validation_alias or f"{prefix}{name}".upper())


def _facts(field: FieldInfo) -> tuple[str, str, str]:
    return _default(field), _type(field.annotation), field.description or ""


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "found at start"  # what it is differs from machine to machine
    if field.is_required():
        return "required"
    default = field.default
    if isinstance(default, SecretStr) or default in (None, "", [], {}):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(annotation: object) -> str:
    names = {"SecretStr": "secret", "Path": "path", "str": "text", "NoneType": "nothing", "bool": "true or false"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "object"
    arguments: tuple[object, ...] = getattr(annotation, "__args__", ())
    words = [_type(argument) for argument in arguments]
    origin = getattr(annotation, "__origin__", None)
    if origin is dict:
        return f"object of {words[1]}s"
    if origin is list:
        return f"list of {words[0]}s"
    if words:
        return " or ".join(word for word in words if word != "nothing")
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, {"int": "whole number", "float": "number"}.get(name, name))
