"""Ten thousand wrong keys: nothing happens, it costs little, it is recorded in sums, and nobody else is kept out."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import TooManyAttempts, Unauthenticated
from engine.access.attempts import STREAM, Attempts
from engine.access.entrance import Entrance
from engine.access.keys import create_key
from engine.audit import audit
from tests.engines import Bench, fresh_bench

HERE = "192.0.2.7"


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


@pytest.fixture
async def entrance(bench: Bench) -> AsyncIterator[Entrance]:
    """One that has seen nobody yet."""
    database = bench.engine.database
    entrance = Entrance(database, bench.engine.entrance.issuers, Attempts(database, record_every_s=0.05))
    yield entrance
    await entrance.attempts.close()


async def make_key(bench: Bench, name: str) -> str:
    async with bench.engine.database.transaction() as conn:
        return await create_key(conn, name, ["caller"])


async def outcome(entrance: Entrance, key: str, address: str = HERE) -> str:
    try:
        return (await entrance.identify(key, address=address, bearer=False)).name
    except (Unauthenticated, TooManyAttempts) as error:
        return error.code


async def records(bench: Bench) -> list[dict[str, object]]:
    async with bench.engine.database.transaction() as conn:
        return [dict(link.record["data"]) for link in await audit.chain(conn, STREAM)]


async def test_ten_thousand_wrong_keys_get_nowhere_and_cost_little(bench: Bench, entrance: Entrance) -> None:
    key, begun = await make_key(bench, "ida"), time.monotonic()
    assert await outcome(entrance, key) == "key:ida"

    found = [await outcome(entrance, f"gh_{n:08x}_wrong") for n in range(10_000)]

    assert set(found) == {"unauthenticated", "too_many_attempts"}
    assert found.count("unauthenticated") < 100  # these alone asked the database
    assert time.monotonic() - begun < 10
    assert await outcome(entrance, key) == "key:ida"


async def test_they_are_recorded_in_sums(bench: Bench, entrance: Entrance) -> None:
    before = len(await records(bench))

    for n in range(1_000):
        await outcome(entrance, f"gh_{n % 3:08x}_wrong", f"192.0.2.{n % 5}")
    await entrance.attempts.close()

    told = (await records(bench))[before:]
    assert sum(int(str(record["attempts"])) for record in told) == 1_000
    assert len(told) < 60
    assert "_wrong" not in str(told)
    assert set(told[-1]) == {"since", "attempts", "reasons", "addresses", "keys"}


async def test_guessing_at_a_key_from_everywhere_shuts_it_for_guesses_and_not_for_its_owner(
    bench: Bench, entrance: Entrance
) -> None:
    key = await make_key(bench, "jon")
    await outcome(entrance, key, "198.51.100.1")
    key_id = key.split("_")[1]

    found = [await outcome(entrance, f"gh_{key_id}_{n}", f"10.0.{n // 250}.{n % 250}") for n in range(500)]

    assert found.count("unauthenticated") < 40
    assert await outcome(entrance, key, "198.51.100.1") == "key:jon"


async def test_another_address_is_not_kept_out(bench: Bench, entrance: Entrance) -> None:
    for n in range(100):
        await outcome(entrance, f"gh_{n:08x}_wrong")

    assert await outcome(entrance, await make_key(bench, "kay"), "198.51.100.9") == "key:kay"


async def test_a_revoked_key_that_was_good_counts_as_any_other(bench: Bench, entrance: Entrance) -> None:
    key = await make_key(bench, "lea")
    await outcome(entrance, key)
    await bench.rows("UPDATE api_key SET revoked_at = now() WHERE name = 'lea'")

    found = [await outcome(entrance, key) for _ in range(60)]

    assert found.count("unauthenticated") < 40
    assert found[-1] == "too_many_attempts"


async def test_names_that_an_attacker_chooses_are_forgotten_again(entrance: Entrance) -> None:
    for n in range(12_000):
        entrance.attempts.failed("unauthenticated", f"gh_{n:08x}_x", f"address {n}")

    assert len(entrance.attempts._left._kept) <= 10_000
