"""The tests themselves: how they may be started."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNHEARD = "trap '' INT HUP QUIT; exec \"$@\""  # as a script leaves what it starts in the background, or nohup


def test_in_the_background_signals_arrive_all_the_same():
    """A few tests that send signals, started where signals are ignored."""
    tests = [sys.executable, "-m", "pytest", "tests/events/worker/test_stop_signals.py"]
    command = ["sh", "-c", UNHEARD, "sh", *tests]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert " passed" in run.stdout
    assert run.returncode == 0, run.stdout
