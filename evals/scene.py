"""One case under way, in worlds, systems and rooms that are its own."""

import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.approval import JsonObject
from engine.approvals.model import ApprovalRequest
from engine.approvals.questions import Question, questions_of_thread
from engine.approvals.requests import asked_of_thread
from engine.gateway.systems import Systems
from engine.models.recording import Recordings
from engine.wiring import Engine
from engine.worker.advance import Carrier
from engine.worker.answers import Answers
from engine.worker.dispatchers import InlineDispatcher
from engine.worker.intake import Intake
from evals.case import Case
from evals.case_files import CaseFolder
from evals.recorded_carrier import RecordedCarrier
from evals.tool_traffic import ToolTraffic
from evals.voices import SILENCE, Voice
from evals.worlds.airline_data import airline_in
from evals.worlds.connected import systems_of
from evals.worlds.sandbox import Worlds, open_worlds
from evals.worlds.seed import read_seed

Open = ApprovalRequest | Question


@dataclass
class Scene:
    """One case under way. Everything that another case could notice is its own."""

    engine: Engine
    case: Case
    worlds: Worlds
    systems: Systems
    carrier: Carrier
    intake: Intake
    answers: Answers
    wake_ups: InlineDispatcher
    thread_id: str
    traffic: ToolTraffic | None = None
    """What outside systems answer in a recorded case; None: the worlds."""
    earlier: list[str] = field(default_factory=list)
    """Threads of the cases that were opened before."""
    off_script: list[str] = field(default_factory=list)
    done_by_others: list[JsonObject] = field(default_factory=list)
    graph_ms: float = 0.0

    @property
    def tenant(self) -> str:
        """Of its own: what a workflow keeps in our records is no other case's."""
        return f"evals-{self.thread_id}"

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """What happens inside would happen without an eval, too."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.graph_ms += (time.perf_counter() - began) * 1000

    async def go_on(self) -> None:
        with self.at_work():
            await self.wake_ups.drain(self.carrier)

    async def open_item(self) -> Open | None:
        """What the case waits for."""
        async with self.engine.database.transaction() as conn:
            requests = await asked_of_thread(conn, self.thread_id)
            questions = await questions_of_thread(conn, self.thread_id)
        waiting: list[Open] = [request for request in requests if request.status == "pending"]
        waiting += [question for question in questions if question.status == "open"]
        return waiting[0] if waiting else None


@asynccontextmanager
async def on_stage(
    engine: Engine, folder: CaseFolder, replies: Recordings, voice: Voice = SILENCE
) -> AsyncIterator[Scene]:
    """The case in worlds of its own, gone afterwards. Raises `ConfigurationError` for a world that is none."""
    case, thread_id = folder.case, str(uuid.uuid4())
    faults = {f"fault-{number}": said.fault() for number, said in enumerate(case.faults, start=1)}
    airline = airline_in(folder.folder / case.airline) if case.airline else None
    worlds, wake_ups = open_worlds(None, faults, airline=airline), InlineDispatcher()
    traffic = ToolTraffic(folder.answered, thread_id) if folder.answered is not None else None
    systems = Systems({}, {}) if traffic else systems_of(worlds)
    spoken: dict[str, Any] = {"routes": voice.live.routes, "recordings": replies, "records_to": voice.kept}
    models = replace(engine.carrier.models, **spoken, stand_ins=False)
    rooms: dict[str, Any] = {"dispatcher": wake_ups, "systems": systems, "models": models}
    carrier = replace(engine.carrier, **rooms, opened_on=case.opened_on or read_seed().today)
    if traffic or voice.beyond.routes:
        carrier = RecordedCarrier(**vars(carrier), traffic=traffic, beyond=voice.beyond.routes)
    intake = replace(engine.intake, dispatcher=wake_ups)
    answers = replace(engine.answers, dispatcher=wake_ups)
    try:
        yield Scene(engine, case, worlds, systems, carrier, intake, answers, wake_ups, thread_id, traffic)
    finally:
        await systems.close()
        worlds.close()
