"""Conversations with the shop's assistant in tests: a model that says what it is told to, and a customer's answers."""

import json
from collections.abc import Iterable
from copy import copy
from dataclasses import replace
from typing import Any

import httpx

from engine.access.keys import Principal
from engine.approvals.questions import Question, questions_of_thread
from engine.catalog.workflow import Workflow, stages_of
from engine.gateway.controls import CONTROLS
from engine.models.recording import Recording, Recordings
from engine.runs.model import Run
from evals.worlds.sandbox import open_worlds
from graphs.customer_service.graph import flow
from tests.engines import TENANT, Bench

SHOP = "customer_service"
NORA = {"use": "shop_customers.find_by_email", "args": {"email": "nora.lind@example.com"}}
HELLO = "I am nora.lind@example.com, please cancel order #W1000001, I no longer need it."
CANCEL = {"use": "shop_orders.cancel_order", "args": {"order_id": "#W1000001", "reason": "no longer needed"}}
FINISH = {"use": "finish", "text": "Good bye."}
CUSTOMER = Principal("key:ada", frozenset({"caller"}), frozenset(), TENANT)


def read(order_id: str) -> dict[str, Any]:
    return {"use": "shop_orders.read_order", "args": {"order_id": order_id}}


class Says(Recordings):
    """A model that makes these moves, one after the other, whatever it is asked."""

    def __init__(self, moves: Iterable[dict[str, Any]]) -> None:
        super().__init__()
        self._moves = iter(moves)

    def take(self, case: str, stage: str, key: str, messages: list[str]) -> Recording:
        move = next(self._moves)
        return Recording(stage, key, "written", "test", json.dumps({"move": move}), [])


def assistant(bench: Bench, *moves: dict[str, Any], without: str = "", workflow: Workflow | None = None) -> Bench:
    """The bench with an assistant that makes these moves, and without the gateway's control of that name."""
    shop = bench.offering(workflow or bench.engine.catalog[SHOP])
    carrier = shop.engine.carrier
    models = replace(carrier.models, recordings=Says(moves), stand_ins=False)
    kept = tuple(control for control in CONTROLS if control.name != without)
    return replace(shop, engine=replace(shop.engine, carrier=replace(carrier, models=models, controls=kept)))


def leading(workflow: Workflow, stage: str, to: str) -> Workflow:
    """The same workflow by an author whose edge leads from `stage` straight `to` another, whatever the state says."""
    wrong = copy(flow)
    wrong.compiled = False
    wrong.branches = {**flow.branches, stage: {}}  # type: ignore[assignment]  # a default dict of the library
    wrong.edges = {edge for edge in flow.edges if edge[0] != stage}
    wrong.add_conditional_edges(stage, lambda _: to, [to])
    graph = wrong.compile(name=workflow.name)
    return replace(workflow, graph=graph, stages=stages_of(graph))


def in_a_new_shop(bench: Bench) -> Bench:
    """The bench with worlds in which nothing has happened yet."""
    worlds = open_worlds()
    for name, app in worlds.items():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        bench.engine.carrier.systems.use(name, httpx.AsyncClient(transport=transport, base_url=f"http://{name}"))
    return replace(bench, worlds=worlds)


async def asked(bench: Bench, run: Run) -> Question:
    """The question that waits for the customer."""
    async with bench.engine.database.transaction() as conn:
        questions = await questions_of_thread(conn, run.thread_id)
    return next(question for question in questions if question.status == "open")


async def answer(bench: Bench, run: Run, text: str, *, by: Principal = CUSTOMER) -> Run:
    """The customer's answer, and everything that follows from it."""
    question = await asked(bench, run)
    leg = await bench.engine.answers.resume(run.thread_id, {question.interrupt_id: {"text": text}}, by)
    await bench.go_on()
    return await bench.again(leg)
