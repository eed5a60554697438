"""The stream mode `messages`: every message as it stands so far, made from the pieces that are kept."""

from dataclasses import replace

import orjson
from langchain_core.messages import AIMessageChunk, message_chunk_to_message

from engine.runs.pages import StreamEvent
from engine.worker.wire import encode


class Partials:
    """What one reader of a run has been shown of its messages. Wants the run's events from the first one on."""

    def __init__(self) -> None:
        self._so_far: dict[str, AIMessageChunk] = {}

    def grown(self, event: StreamEvent) -> StreamEvent:
        """A piece as its message so far (`messages/partial`), a whole message (`messages/complete`), others as is."""
        if event.name == "metadata":
            self._so_far.clear()  # another attempt tells again what was under way
        if event.name.split("|")[0] != "messages":
            return event
        message, _ = orjson.loads(event.data)
        if message["type"] != "AIMessageChunk":
            return replace(event, name="messages/complete", data=encode([message]))
        piece = AIMessageChunk(**message)
        so_far = self._so_far.get(str(piece.id))
        whole = so_far + piece if so_far else piece
        self._so_far[str(piece.id)] = whole
        return replace(event, name="messages/partial", data=encode([message_chunk_to_message(whole)]))
