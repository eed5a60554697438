"""Every method of the assistants' client."""

import uuid
from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError
from langgraph_sdk.schema import Assistant, AssistantsSearchResponse, AssistantVersion, GraphSchema, Subgraphs

from tests.sdk.shapes import require_fit


async def test_an_assistant_is_made_with_all_there_is_to_say(operator: LangGraphClient) -> None:
    wanted = str(uuid.uuid4())
    made = await operator.assistants.create(
        "slow",
        {"tags": ["nightly"], "recursion_limit": 20},
        context={"tone": "kind"},
        metadata={"team": "sdk"},
        assistant_id=wanted,
        if_exists="raise",
        name="Slow and kind",
        description="Takes its time.",
    )
    read = await operator.assistants.get(wanted)

    require_fit(made, Assistant)
    assert read == made
    assert (made["assistant_id"], made["graph_id"], made["version"]) == (wanted, "slow", 1)
    assert (made["name"], made["description"], made["metadata"]) == (
        "Slow and kind",
        "Takes its time.",
        {"team": "sdk"},
    )
    assert (made["config"]["tags"], made["context"]) == (["nightly"], {"tone": "kind"})


async def test_an_assistant_is_made_once(operator: LangGraphClient) -> None:
    made = await operator.assistants.create("slow")

    with pytest.raises(ConflictError):
        await operator.assistants.create("slow", assistant_id=made["assistant_id"])
    same = await operator.assistants.create("slow", assistant_id=made["assistant_id"], if_exists="do_nothing")

    assert same == made


async def test_changes_are_versions_and_any_can_be_the_latest(operator: LangGraphClient) -> None:
    made = (await operator.assistants.create("slow", name="first"))["assistant_id"]

    changed = await operator.assistants.update(
        made, graph_id="custom", config={"tags": ["b"]}, context={"c": 1}, metadata={"d": 2}, name="second",
        description="changed",
    )  # fmt: skip
    versions = await operator.assistants.get_versions(made, metadata={}, limit=5, offset=0)
    back = await operator.assistants.set_latest(made, 1)

    require_fit(changed, Assistant)
    require_fit(versions, list[AssistantVersion])
    assert (changed["version"], changed["name"], changed["graph_id"]) == (2, "second", "custom")
    assert [version["version"] for version in versions] == [2, 1]
    assert (back["version"], back["name"], back["graph_id"]) == (1, "first", "slow")


async def test_assistants_are_searched_paged_and_counted(operator: LangGraphClient) -> None:
    mark = {"mark": uuid.uuid4().hex}
    for name in ("b", "a", "c"):
        await operator.assistants.create("slow", name=name, metadata=mark)

    found: Any = await operator.assistants.search(metadata=mark, graph_id="slow", sort_by="name", sort_order="asc")
    page: Any = await operator.assistants.search(
        metadata=mark, limit=2, offset=0, sort_by="name", sort_order="asc", response_format="object"
    )
    names: Any = await operator.assistants.search(metadata=mark, name="a", select=["name"])
    count = await operator.assistants.count(metadata=mark, graph_id="slow", name="a")

    require_fit(found, list[Assistant])
    require_fit(page, AssistantsSearchResponse)
    assert [assistant["name"] for assistant in found] == ["a", "b", "c"]
    assert ([a["name"] for a in page["assistants"]], page["next"]) == (["a", "b"], "2")
    assert (names, count) == ([{"name": "a"}], 1)


async def test_a_graph_is_drawn_and_described(client: LangGraphClient) -> None:
    drawn = await client.assistants.get_graph("nested", xray=True)
    schemas = await client.assistants.get_schemas("nested")
    subgraphs = await client.assistants.get_subgraphs("nested", recurse=True)
    one = await client.assistants.get_subgraphs("nested", "calculate")

    require_fit(drawn, dict[str, list[dict[str, Any]]])
    require_fit(schemas, GraphSchema)
    require_fit(subgraphs, Subgraphs)
    assert any(node["id"].startswith("calculate:") for node in drawn["nodes"])
    assert "number" in (schemas["input_schema"] or {})["properties"]
    assert one == {"calculate": subgraphs["calculate"]}


async def test_a_deleted_assistant_is_gone_with_its_threads(operator: LangGraphClient, client: LangGraphClient) -> None:
    made = (await operator.assistants.create("custom"))["assistant_id"]
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, made, input={"steps": 1})

    await operator.assistants.delete(made, delete_threads=True)

    with pytest.raises(NotFoundError):
        await operator.assistants.get(made)
    with pytest.raises(NotFoundError):
        await client.threads.get(thread)
