"""The evidence report names tests that exist, covers every risk of the list, and says of each what is not covered."""

from commands.evidence import evidence, exists
from tests.house.tree import ROOT


def test_the_tests_that_evidence_names_exist() -> None:
    assert [test for row in evidence() for test in row["tests"] if not exists(test)] == []
    assert not exists("tests/house/test_evidence.py::test_that_nobody_wrote")


def test_every_row_says_what_stands_what_shows_it_and_what_is_missing() -> None:
    assert all(row["stands"] and row["missing"] and row["tests"] for row in evidence())


def test_every_framework_and_every_agentic_risk_has_a_row() -> None:
    named = " ".join(row["clause"] for row in evidence() if row["framework"] == "OWASP agentic")

    assert {row["framework"] for row in evidence()} == {"EU AI Act", "OWASP agentic", "NIST AI RMF"}
    assert [number for number in range(1, 11) if f"ASI{number:02}" not in named] == []


def test_every_agentic_risk_has_a_file_of_attacks_that_the_report_and_the_page_name() -> None:
    files = sorted(path.name for path in (ROOT / "tests" / "owasp").glob("test_asi*.py"))
    rows = [row for row in evidence() if row["framework"] == "OWASP agentic"]
    page = (ROOT / "docs" / "explanation" / "owasp.md").read_text()

    assert [file[:10] for file in files] == [f"test_asi{number:02}" for number in range(1, 11)]
    assert [row["tests"][0] for row in rows] == [f"tests/owasp/{file}" for file in files]
    assert [file for file in files if f"`{file}`" not in page] == []
