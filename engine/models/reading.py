"""What a model is given to read, by source, and how much of it a stage may give."""

import json

from contracts.approval import JsonObject
from contracts.errors import ContextTooLarge
from engine.catalog.prompt import Prompt

LETTERS_PER_TOKEN = 3
"""Fewer than any model has, so that what is counted of a text is never too little by much."""


def sources_of(prompt: Prompt, values: JsonObject) -> JsonObject:
    """Tokens by source, about: the prompt itself, and each value that the stage gives."""
    letters = {name: len(json.dumps(value, ensure_ascii=False)) for name, value in values.items()}
    return {name: size // LETTERS_PER_TOKEN for name, size in {"prompt": len(prompt.system), **letters}.items()}


def require_within(prompt: Prompt, sources: JsonObject) -> None:
    """Raises `ContextTooLarge` naming the largest source. Nothing is cut: half an order is a wrong order."""
    total = sum(int(str(size)) for size in sources.values())
    if total > prompt.max_context:
        largest = max(sources, key=lambda name: int(str(sources[name])))
        raise ContextTooLarge(
            f"The prompt {prompt.name!r} may give {prompt.max_context:,} tokens to read, and this would be about "
            f"{total:,}, most of it {largest!r}; no model was asked.",
            hint="Give the stage less of it, or raise max_context in the prompt's file.",
        )
