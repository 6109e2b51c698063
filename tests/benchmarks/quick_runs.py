"""Benchmarks run just long enough to see that figures come out."""

import re
import subprocess
import sys
from collections.abc import Iterable

from vigilpay.env import ROOT

Run = subprocess.CompletedProcess[str]


def quick(benchmark: str, measurement: str) -> Run:
    command = [sys.executable, "-m", benchmark, "--quick", "--only", measurement]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def assert_measured(run: Run, expected: Iterable[str]) -> None:
    """Every figure came out, and the exit status is that of the verdict on the last line."""
    last = run.stdout.splitlines()[-1:] or [run.stderr]
    held, of = map(int, re.match(r"VERDICT: (\d+) of (\d+) goals held", last[0]).groups())
    assert of > 0
    assert run.returncode == (0 if held == of else 1)
    assert [what for what in expected if what not in run.stdout] == []
