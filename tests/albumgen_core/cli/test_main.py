from __future__ import annotations

import pytest
from typer.testing import CliRunner

from albumgen_core.cli import evaluate, main
from albumgen_core.cli.lazy import Command

RUNNER = CliRunner()


@pytest.mark.parametrize(
    ("path", "command"),
    [((name,), command) for name, command in main.COMMANDS.items()]
    + [(("evaluate", name), command) for name, command in evaluate.COMMANDS.items()],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) and isinstance(value[0], str) else "",
)
def test_each_command_is_there_under_its_own_summary(path: tuple[str, ...], command: Command) -> None:
    text = str(command.load(path[-1]).help).strip().split("\n\n")[0]
    assert " ".join(text.split()) == command.summary
    shown = RUNNER.invoke(main.app, [*path, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert command.summary.split(",")[0] in " ".join(shown.output.split())
    assert f"{' '.join(path)} [OPTIONS]" in shown.output


def test_an_unknown_command_is_named_with_the_nearest() -> None:
    shown = RUNNER.invoke(main.app, ["generat"])
    assert shown.exit_code == 2
    assert "generate" in shown.output
