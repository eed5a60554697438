"""A second model that is asked beside the first: its reply is recorded and decides nothing."""

import asyncio
import logging
from dataclasses import dataclass

import psycopg
from langchain_core.messages import AIMessage, BaseMessage

from contracts.context import ModelSource
from contracts.errors import GatehouseError, ModelError
from contracts.event import Event
from engine.audit import audit
from engine.limits.admission import admit
from engine.limits.model import Share
from engine.models.accounts import Accounts, Attempt
from engine.models.attempts import Question, whole_reply
from engine.models.route import Route, chat_model
from engine.models.spending import Place, Spending, Wanted
from engine.store.scope import of_tenant

_LOG = logging.getLogger("gatehouse.models")
_SOURCE: ModelSource = "live"


@dataclass(frozen=True)
class Shadowed:
    """One question put to a second model."""

    accounts: Accounts
    question: Question
    route: Route
    per_day: int
    place: Place

    async def ask(self, messages: list[BaseMessage]) -> None:
        """One attempt, on a budget of its own, and no tools; what came of it stands in the case's trail alone."""
        with of_tenant(self.accounts.run.tenant):
            call = await self._reserve(messages)
            if call is None:
                return
            name, reply, problem = self.route.label, None, ""
            try:
                async with asyncio.timeout(self.route.timeout_s):
                    reply = await self._once(messages)
            except ModelError as error:
                call, problem = call.failed(error, last=True), error.detail
            except TimeoutError:
                problem = f"Model {name!r} did not answer within {self.route.timeout_s:.0f} s."
            await self._record(call if reply is None else call.ended(reply), reply, problem)

    async def _once(self, messages: list[BaseMessage]) -> AIMessage:
        http, prompt = self.accounts.sources.http, self.question.prompt
        model = chat_model(self.route, http, max_tokens=prompt.max_tokens)
        return await whole_reply(model, self.route.label, messages, self.question.shape)

    async def _reserve(self, messages: list[BaseMessage]) -> Spending | None:
        """None where its budget is used up, or something else speaks against it: the case goes on without it."""
        prompt, sources = self.question.prompt, self.accounts.sources
        wanted = Wanted(prompt, self.route, sum(len(str(message.content)) for message in messages))
        share = Share(f"shadow:{prompt.alias}/{self.route.label}", "day", "model_calls", 1, self.per_day)
        call = Spending.beside(self.accounts.run, wanted, self.place, share)
        try:
            async with self.accounts.database.transaction() as conn:
                standing = await admit(conn, call.ask, sources.controls)
        except (GatehouseError, psycopg.Error) as error:
            _LOG.info("a second model was not asked: %s", error)
            return None
        return call.standing(standing)

    async def _record(self, call: Spending, reply: AIMessage | None, problem: str) -> None:
        accounts, text = self.accounts, str(reply.text) if reply else ""
        said = Attempt(self.question.prompt, self.route.label, _SOURCE, text, problem, call, self.question.noted)
        async with accounts.database.transaction() as conn:
            await audit.append(conn, accounts.run.subject(), Event.MODEL_SHADOWED, said.data())
            await call.settle(conn, accounts.sources.limits.model_breaker)
