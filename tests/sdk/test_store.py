"""Every method of the store's client."""

import uuid

from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.schema import Item, ListNamespaceResponse, SearchItemsResponse

from tests.sdk.shapes import require_fit


async def test_an_item_is_put_read_and_deleted(client: LangGraphClient) -> None:
    place = ["sdk", uuid.uuid4().hex]

    await client.store.put_item(place, "k", {"a": 1}, index=False, ttl=10)
    item = await client.store.get_item(place, "k", refresh_ttl=True)
    await client.store.delete_item(place, "k")

    require_fit(item, Item)
    assert (item["namespace"], item["key"], item["value"]) == (place, "k", {"a": 1})
    assert await client.store.get_item(place, "k") is None


async def test_items_are_searched(client: LangGraphClient) -> None:
    place = ["sdk", uuid.uuid4().hex]
    for number in range(3):
        await client.store.put_item(place, str(number), {"even": number % 2 == 0})

    found = await client.store.search_items(
        place, filter={"even": True}, limit=1, offset=1, query="even numbers", refresh_ttl=False
    )

    require_fit(found, SearchItemsResponse)
    assert [item["value"] for item in found["items"]] == [{"even": True}]


async def test_namespaces_are_listed(client: LangGraphClient) -> None:
    mark = uuid.uuid4().hex
    for last in ("a", "b"):
        await client.store.put_item([mark, "deep", last], "k", {})

    found = await client.store.list_namespaces(prefix=[mark], suffix=["b"], max_depth=3, limit=5, offset=0)
    cut = await client.store.list_namespaces(prefix=[mark], max_depth=2)

    require_fit(found, ListNamespaceResponse)
    assert found["namespaces"] == [[mark, "deep", "b"]]
    assert cut["namespaces"] == [[mark, "deep"]]
