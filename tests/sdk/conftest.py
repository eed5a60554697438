"""Clients of the trial server."""

from collections.abc import Iterator

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.cases import client_of
from tests.conftest import People


@pytest.fixture
def client(trial_url: str, trial_people: People) -> LangGraphClient:
    """One that calls."""
    return client_of(trial_url, trial_people.ada)


@pytest.fixture
def operator(trial_url: str, trial_people: People) -> LangGraphClient:
    """One that operates."""
    return client_of(trial_url, trial_people.olu)


@pytest.fixture
def sync(trial_url: str, trial_people: People) -> Iterator[SyncLangGraphClient]:
    """One that calls, without async."""
    with get_sync_client(url=trial_url, api_key=trial_people.ada) as client:
        yield client
