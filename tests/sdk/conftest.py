"""Clients of the trial server."""

import pytest
from langgraph_sdk.client import LangGraphClient

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
