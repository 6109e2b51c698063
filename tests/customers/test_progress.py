"""How far a command has come, on a terminal and nowhere else."""

import io

import pytest

from customers.management import progress
from customers.management.progress import BAR_WIDTH, CLEAR_LINE, TerminalProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def every_step_is_shown(monkeypatch):
    monkeypatch.setattr(progress, "PAUSE_SECONDS", 0)


def shown(terminal):
    """The lines that stood there one after another."""
    return terminal.getvalue().split(CLEAR_LINE)[1:]


def test_rows_are_counted_on_one_line_that_is_cleared_at_the_end():
    terminal = Terminal()
    with TerminalProgress(terminal) as told:
        told("waiting", 0)
        told("read", 12_000)
    assert shown(terminal) == ["waiting", "12,000 rows read", ""]


def test_a_bar_fills_as_the_work_gets_done():
    terminal = Terminal()
    with TerminalProgress(terminal) as told:
        for done in (0, 2, 4):
            told.bar("Searching", done, 4)
    start, middle, end, _ = shown(terminal)
    assert [line.count("█") for line in (start, middle, end)] == [0, BAR_WIDTH // 2, BAR_WIDTH]
    assert {len(line) for line in (start, middle, end)} == {len(end)}
    assert middle.startswith("Searching █")
    assert middle.endswith("░ 2 of 4")


def test_nothing_is_written_to_a_file_or_a_pipe():
    pipe = io.StringIO()
    with TerminalProgress(pipe) as told:
        told("read", 12_000)
        told.bar("Searching", 1, 4)
    assert pipe.getvalue() == ""
