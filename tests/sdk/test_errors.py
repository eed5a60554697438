"""What is refused reaches callers of the SDK as its own errors, with a sentence that helps."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph_sdk import errors
from langgraph_sdk.client import LangGraphClient

from tests.cases import client_of
from tests.conftest import People
from tests.sdk.test_runs import TEXT

Call = Callable[[LangGraphClient], Awaitable[Any]]
TO_ITSELF = "http://127.0.0.1:9/hook"


async def twice(client: LangGraphClient) -> Any:
    thread = (await client.threads.create())["thread_id"]
    return await client.threads.create(thread_id=thread)


def unfit(client: LangGraphClient) -> Awaitable[Any]:
    return client.runs.create(None, "three_stages", input=TEXT, after_seconds=-1)


Refused = tuple[str, Call, type[errors.APIStatusError], str, str]
REFUSED: list[Refused] = [
    ("nobody", lambda c: c.threads.create(), errors.AuthenticationError, "unauthenticated", "key"),
    ("ada", lambda c: c.assistants.create("slow"), errors.PermissionDeniedError, "forbidden", "operator"),
    ("ada", lambda c: c.threads.get(str(uuid.uuid4())), errors.NotFoundError, "not_found", "There is no thread"),
    ("ada", twice, errors.ConflictError, "already_exists", "already"),
    ("ada", unfit, errors.UnprocessableEntityError, "invalid_request", "after_seconds"),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused[3])
async def test_a_refusal_is_the_sdk_s_own_error(trial_url: str, trial_people: People, refused: Refused) -> None:
    who, call, kind, code, said = refused
    client = client_of(trial_url, getattr(trial_people, who, "wrong"))

    with pytest.raises(kind, match=said) as caught:
        await call(client)

    assert caught.value.code == code
    assert caught.value.request_id


@pytest.mark.parametrize("verb", ["create", "wait", "stream", "cron", "cron_for_thread", "cron_update"])
async def test_a_webhook_to_this_machine_is_refused(client: LangGraphClient, verb: str) -> None:
    thread = (await client.threads.create())["thread_id"]
    cron: Any = await client.crons.create("slow", schedule="0 0 1 1 *", input={"seconds": 0})
    plan: Any = {"schedule": "0 0 1 1 *", "input": {"seconds": 0}}
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: client.runs.create(thread, "three_stages", input=TEXT, webhook=TO_ITSELF),
        "wait": lambda: client.runs.wait(thread, "three_stages", input=TEXT, webhook=TO_ITSELF),
        "stream": lambda: anext(client.runs.stream(thread, "three_stages", input=TEXT, webhook=TO_ITSELF)),
        "cron": lambda: client.crons.create("slow", webhook=TO_ITSELF, **plan),
        "cron_for_thread": lambda: client.crons.create_for_thread(thread, "slow", webhook=TO_ITSELF, **plan),
        "cron_update": lambda: client.crons.update(cron["cron_id"], webhook=TO_ITSELF),
    }

    with pytest.raises(Exception, match=r"webhook|422"):
        await calls[verb]()
    assert await client.runs.list(thread) == []
