"""The tests themselves: how they may be started, and what they end with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNHEARD = "trap '' INT HUP QUIT; exec \"$@\""  # as a script leaves what it starts in the background, or nohup


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A few tests that send signals, started where signals are ignored; they reach little of the code."""
    tests = [sys.executable, "-m", "pytest", "tests/events/worker/test_stop_signals.py", "--cov", "--cov-report="]
    env = {**os.environ, "COVERAGE_FILE": str(tmp_path_factory.mktemp("coverage") / "data")}
    command = ["sh", "-c", UNHEARD, "sh", *tests]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_in_the_background_signals_arrive_all_the_same(run):
    assert " passed" in run.stdout
    assert " failed" not in run.stdout


def test_coverage_that_fell_is_shown_and_pytests_own_line_is_the_last(run):
    assert run.returncode == pytest.ExitCode.TESTS_FAILED
    assert "Required test coverage of 90" in run.stdout
    assert "customers/scoring/scorer.py" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("=====")
