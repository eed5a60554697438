"""Real conversations on record: what a model did in each, step by step, and what became of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.errors import ConfigurationError
from evals.tau_bench.on_record import Said

_STOP = "###STOP###"
_FILES = "runs-*.jsonl"


@dataclass(frozen=True)
class Step:
    """One thing that the model did: it used a tool, or it said something to the customer."""

    use: str = ""
    """The tool as it is called on record; empty when it spoke."""
    args: Said = field(default_factory=dict)
    observed: str | None = None
    """What the tool replied on record; None where the record ends before."""
    says: str = ""
    heard: str | None = None
    """What the customer answered; None where they did not."""
    last: bool = False
    """Whether the customer wanted nothing more after this."""

    @property
    def failed(self) -> bool:
        """Whether the tool refused it on record."""
        return self.observed is None or self.observed.startswith("Error")


@dataclass(frozen=True)
class RecordedRun:
    """One conversation."""

    task: int
    trial: int
    reward: float
    model: str
    opening: str
    """What the customer said first."""
    steps: tuple[Step, ...]
    messages: tuple[Said, ...]
    """As they are on record, in the format of OpenAI's chat."""

    @property
    def name(self) -> str:
        return f"task-{self.task:02}-trial-{self.trial}"

    @property
    def ended(self) -> bool:
        """Whether it came to its end: the customer wanted nothing more, or a person took over."""
        return bool(self.steps) and (self.steps[-1].last or self.steps[-1].use == "transfer_to_human_agents")

    @property
    def spoken(self) -> list[str]:
        """Everything that the model said to the customer."""
        return [step.says for step in self.steps if step.says]


def read_runs(folder: Path) -> list[RecordedRun]:
    """Every run of the folder's `runs-<model>.jsonl`. Raises `ConfigurationError` naming file and line."""
    files = sorted(folder.glob(_FILES))
    if not files:
        raise ConfigurationError(
            f"{folder.name!r} holds no recorded runs.",
            hint=f"Give a folder with {_FILES}, tasks.jsonl, flights.json, reservations.json and users.json.",
        )
    return [run for file in files for run in _runs(file)]


def _runs(file: Path) -> Iterator[RecordedRun]:
    model = file.stem.removeprefix("runs-")
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            yield _run(json.loads(line), model)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ConfigurationError(
                f"{file.name}:{number} is not a recorded run: {error!r}.",
                hint="A line holds task, trial, reward and messages in the format of a chat: user, assistant and tool.",
            ) from error


def _run(said: Said, model: str) -> RecordedRun:
    messages = said["messages"]
    opening = [one["role"] for one in messages].index("user")
    steps = tuple(_steps(messages[opening + 1 :]))
    return RecordedRun(
        task=int(said["task"]),
        trial=int(said["trial"]),
        reward=float(said["reward"]),
        model=model,
        opening=str(messages[opening]["content"]),
        steps=steps,
        messages=tuple(messages),
    )


def _steps(messages: Sequence[Said]) -> Iterator[Step]:
    """What follows a message is its answer: ids of calls repeat within a run, so they say nothing."""
    for place, one in enumerate(messages):
        if one["role"] != "assistant":
            continue
        after = messages[place + 1] if place + 1 < len(messages) else {"content": None}
        calls, answer = one.get("tool_calls"), after["content"]
        if calls:
            asked = calls[0]["function"]
            yield Step(use=asked["name"], args=json.loads(asked["arguments"]), observed=answer)
        elif one["content"]:
            yield Step(
                says=one["content"],
                heard=None if answer is None else answer.replace(_STOP, "").strip(),
                last=answer is not None and _STOP in answer,
            )
