"""An exported case proves itself: to our command, and to anybody with Python; and a single changed byte shows."""

import asyncio
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from contracts.errors import NotFound
from engine.audit.audit import stream_of
from engine.audit.erasure import erase
from engine.audit.export import bundle_of
from engine.audit.offline import files_of, merkle_path, merkle_root, problems_of, root_of_path
from engine.audit.signing import ring_of
from engine.runs.model import Run
from tests.conftest import Site
from tests.engines import TENANT, Bench, fresh_bench


@pytest.fixture(scope="module")
async def bench(postgres: str, folder: Path) -> AsyncIterator[Bench]:
    async with fresh_bench(postgres, folder) as bench:
        yield bench


async def exported(bench: Bench, run: Run) -> bytes:
    async with bench.engine.database.snapshot() as conn:
        return await bundle_of(conn, bench.engine.notary.signer, stream_of(run.thread_id))


@pytest.fixture(scope="module")
async def bundle(bench: Bench, folder: Path) -> Path:
    """Of one paid case among several that one checkpoint names."""
    for amount_cents in (2_500, 2_600, 2_700):
        run = await bench.open_case(amount_cents=amount_cents)
    await bench.go_on()
    await bench.engine.notary.note()
    path = folder / "bundle.zip"
    path.write_bytes(await exported(bench, run))
    return path


def test_a_bundle_is_verified_by_the_script_inside_it(bench: Bench, bundle: Path, tmp_path: Path) -> None:
    """Apart from this repository: the script stands alone."""
    with zipfile.ZipFile(bundle) as packed:
        packed.extract("verify.py", tmp_path)
    public = bench.engine.notary.signer.public.hex()

    said = [
        subprocess.run(
            [sys.executable, "-I", tmp_path / "verify.py", bundle, key], cwd=tmp_path, capture_output=True, text=True
        )
        for key in (public, "ab" * 32)
    ]

    assert (said[0].returncode, said[0].stdout) == (0, "The bundle is whole.\n")
    assert (said[1].returncode, said[1].stdout) == (1, "manifest.json is not signed by a trusted key\n")


async def test_a_case_is_exported_and_verified_by_command(
    bench: Bench, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, target = bench.engine.settings, str(tmp_path / "case.zip")
    site = Site(bench.engine.database.dsn, settings.home, tmp_path)
    for name, value in site.environment(GATEHOUSE_AUDIT_ANCHORS=str(tmp_path)).items():
        monkeypatch.setenv(name, value)
    (run, *_) = await bench.rows("SELECT id::text FROM run")

    orders = (["verify"], ["export", run["id"], "-o", target], ["verify-bundle", target], ["report"])
    told = [await asyncio.to_thread(CliRunner().invoke, app, ["audit", *words]) for words in orders]

    assert [(said.exit_code, said.output) for said in told if said.exit_code] == []
    assert problems_of(files_of(Path(target)), bench.engine.notary.signer.ring) == []


def test_every_changed_byte_shows(bench: Bench, bundle: Path) -> None:
    files, ring = files_of(bundle), bench.engine.notary.signer.ring

    assert problems_of(files, ring) == []
    for name, text in files.items():
        for place in range(0, len(text), max(1, len(text) // 40)):
            changed = text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :]
            assert problems_of(files | {name: changed}, ring), f"{name} at {place}"


def test_a_file_that_is_missing_or_was_added_shows(bench: Bench, bundle: Path) -> None:
    files, ring = files_of(bundle), bench.engine.notary.signer.ring

    for name in files:
        assert problems_of({other: text for other, text in files.items() if other != name}, ring), name
    assert problems_of(files | {"more.txt": b""}, ring) == ["more.txt does not belong to the bundle"]


def test_a_bundle_of_another_key_is_not_trusted(bundle: Path) -> None:
    assert problems_of(files_of(bundle), ring_of(["ab" * 32])) == ["manifest.json is not signed by a trusted key"]


async def test_an_erased_case_is_exported_without_what_was_erased(bench: Bench) -> None:
    run = await bench.open_case(amount_cents=2_500)
    await bench.go_on()
    async with bench.engine.database.transaction() as conn:
        await erase(conn, f"case:{run.thread_id}", "asked for", by="key:olu", tenant=TENANT, dry_run=False)
    await bench.engine.notary.note()
    path = bench.engine.settings.home / "erased.zip"

    path.write_bytes(await exported(bench, run))

    files = files_of(path)
    assert problems_of(files, bench.engine.notary.signer.ring) == []
    assert b"AC-" not in files["records.jsonl"]
    assert b'"payload":"' not in files["records.jsonl"]


async def test_a_case_that_no_checkpoint_names_is_no_evidence_yet(bench: Bench) -> None:
    run = await bench.open_case(amount_cents=2_500)

    with pytest.raises(NotFound):
        await exported(bench, run)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_paths_lead_to_the_root_from_every_leaf_and_from_no_other(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]

    for index, leaf in enumerate(leaves):
        path = merkle_path(leaves, index)
        assert root_of_path(leaf, index, size, path) == merkle_root(leaves)
        assert root_of_path(b"x", index, size, path) != merkle_root(leaves)
        assert root_of_path(leaf, index + 1, size, path) != merkle_root(leaves)


def test_the_root_is_that_of_rfc_6962() -> None:
    """The tree of Certificate Transparency's reference implementation over its eight test leaves."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]

    assert merkle_root([bytes.fromhex(leaf) for leaf in leaves]).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )
