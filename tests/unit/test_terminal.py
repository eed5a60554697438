"""Tables on terminals: whole where they fit, and readable where they do not."""

import pytest
from rich.console import Console

from commands import terminal
from commands.terminal import show_table

COLUMNS = ["run", "workflow", "stands", "took"]
ROW = ("8367bb1e-5599-4e83-b085-1deb49c2b6b3", "billing_dispute", "interrupted", "0.3s")


def _shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> tuple[list[str], str]:
    monkeypatch.setattr(terminal, "OUT", Console(width=width, soft_wrap=True, highlight=False))
    show_table(COLUMNS, [ROW, ROW], spare=("took", "stands"))
    told = capsys.readouterr()
    return told.out.splitlines(), told.err


@pytest.mark.parametrize(("width", "left_out"), [(72, []), (71, ["took"]), (65, ["took", "stands"])])
def test_a_table_leaves_out_what_it_may_before_it_breaks_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, left_out: list[str]
) -> None:
    lines, said = _shown(capsys, monkeypatch, width)

    assert len(lines) == 3
    assert lines[0].split() == [name for name in COLUMNS if name not in left_out]
    assert lines[1].split() == [value for name, value in zip(COLUMNS, ROW, strict=True) if name not in left_out]
    assert all(name in said for name in left_out)
    assert bool(said) == bool(left_out)
