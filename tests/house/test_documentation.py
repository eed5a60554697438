"""What is written for people agrees with the code: pages, pictures, commands, links."""

import ast
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from docs.generate import SCHEMA_PAGE, pages
from tests.house.commands import refusal
from tests.house.tree import ROOT, files, shipped

WITH_TESTS_OF_THEIR_OWN = {Path("docs/reference/langgraph-api.md")}
_FENCE = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`(gatehouse [^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_END_OF_COMMAND = {"|", ">", ">>", "&&", "||", ";", "&"}


def _texts() -> dict[str, str]:
    """Every Markdown page of ours that people read; prompts are read by models."""
    read = [path for path in files(".md") if "prompts" not in path.parts]
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in read}


def _scripts() -> dict[str, str]:
    return {path.name: path.read_text() for path in (ROOT / "scripts").iterdir()}


def test_generated_pages_are_fresh() -> None:
    stale = [
        str(path) for path, text in pages().items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]

    assert stale == [], "write them anew: python -m docs.generate"


def test_every_reference_page_is_generated() -> None:
    reference = {path.relative_to(ROOT) for path in (ROOT / "docs" / "reference").iterdir()} - WITH_TESTS_OF_THEIR_OWN

    assert reference == {path for path in (*pages(), SCHEMA_PAGE) if path.parts[:2] == ("docs", "reference")}


def test_links_lead_to_files() -> None:
    links = [(page, link) for page, text in _texts().items() for link in _LINK.findall(_FENCE.sub("", text))]

    assert [(page, link) for page, link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_scripts_that_are_named_can_be_run() -> None:
    texts = [*_texts().values(), (ROOT / ".ci" / "run").read_text()]
    named = {found for text in texts for found in re.findall(r"(source )?(?<![\w/])(scripts/[a-z_]+)", text)}

    missing = [name for sourced, name in named if not os.access(ROOT / name, os.R_OK if sourced else os.X_OK)]

    assert missing == []


def test_modules_that_are_run_by_name_exist() -> None:
    texts = [*_texts().values(), *_scripts().values()]
    named = {name for text in texts for name in re.findall(r"python -m ([a-z_.]+)", text)} - {"pytest", "pip"}

    places = [ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in named]

    assert [str(place.relative_to(ROOT)) for place in places if not place.exists()] == []


def test_commands_that_are_shown_exist() -> None:
    shown = [(page, words) for page, text in _texts().items() for words in _commands(text)]

    assert [(page, said) for page, words in shown if (said := refusal(words))] == []


def test_commands_that_messages_recommend_exist() -> None:
    named = {(m.path, words) for m in shipped() for text in _strings(m.tree) for words in _recommended(text)}

    assert [(path, said) for path, words in sorted(named) if (said := refusal([*words]))] == []


def test_commands_that_scripts_call_exist() -> None:
    called = [(name, words) for name, text in _scripts().items() for words in _recommended(text)]

    assert [(name, said) for name, words in called if (said := refusal([*words]))] == []


def _commands(text: str) -> Iterator[list[str]]:
    """Arguments of each `gatehouse …` line in a code block or in backticks."""
    lines = [line for block in _FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    for line in [*lines, *_INLINE.findall(_FENCE.sub("", text))]:
        if re.match(r"\s*(\$ )?([A-Z_]+=\S+ )*(\S*/)?gatehouse\b", line):
            words = shlex.split(line.partition("gatehouse")[2], comments=True)
            yield words[: next((at for at, word in enumerate(words) if word in _END_OF_COMMAND), None)]


def _strings(tree: ast.Module) -> Iterator[str]:
    """Every text in a file; what an f-string fills in stands as X."""
    inner = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inner:
            yield node.value


def _recommended(text: str) -> Iterator[tuple[str, ...]]:
    """Arguments of each `gatehouse …` in a sentence or a script; prose that follows is taken for arguments."""
    for found in re.findall(r"\bgatehouse ([a-z][^`'\"\n.;:)&|\[]*)", text):
        yield tuple(found.split())
