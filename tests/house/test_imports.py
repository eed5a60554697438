"""Who may import whom: the contracts hold, and nothing is left out of them."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from tests.house.tree import BESIDE_THE_PRODUCT, ROOT, modules, packages, shipped

DOORS = ("server", "cli")
OPENS_A_DOOR = {
    ("commands/serving.py", "server"): "`serve` is the command that opens the HTTP door",
    ("docs/interfaces.py", "cli"): "the page of commands is read from the command line as a whole",
}


def _importlinter() -> dict[str, Any]:
    config: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return config


def _layers(contract: dict[str, Any]) -> set[str]:
    return {name.strip(" ()") for layer in contract["layers"] for name in layer.replace(":", "|").split("|")}


def test_the_import_order_holds() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_of_the_engine_has_its_place_in_the_order() -> None:
    inside = [c for c in _importlinter()["contracts"] if c["type"] == "layers" and c.get("containers") == ["engine"]]

    rooms = {path.stem for path in (ROOT / "engine").iterdir() if path.is_dir() or path.suffix == ".py"}

    assert len(inside) == 1
    assert inside[0]["exhaustive"] is True
    assert rooms - {"__init__", "__pycache__"} == _layers(inside[0])


def test_every_package_is_covered_by_the_order() -> None:
    config = _importlinter()

    product = set(packages()) - set(BESIDE_THE_PRODUCT)
    ordered = {
        name for c in config["contracts"] if c["type"] == "layers" and not c.get("containers") for name in _layers(c)
    }

    assert product == set(config["root_packages"])
    assert product == ordered


def test_no_contract_excuses_an_import() -> None:
    excused = [c["name"] for c in _importlinter()["contracts"] if c.get("ignore_imports")]

    assert excused == []


def test_nothing_imports_the_doors() -> None:
    found = {(m.path, name) for m in modules() if m.top != "tests" for name in m.imports if name in DOORS}

    assert found == set(OPENS_A_DOOR)


def test_the_product_imports_nothing_that_is_not_shipped() -> None:
    found = [(m.path, name) for m in shipped() for name in m.imports if name.partition(".")[0] in BESIDE_THE_PRODUCT]

    assert found == []


def test_no_installed_distribution_offers_one_of_our_names() -> None:
    ours = {*packages(), *DOORS}

    offered = packages_distributions()
    taken = {name: set(offered[name]) - {"gatehouse"} for name in ours & set(offered)}

    assert {name: by for name, by in taken.items() if by} == {}
