"""A few seconds of ``make load``: nothing fails beside slow clients. How fast it is, no test says."""

import re
import subprocess
import sys

from vigilpay.env import ROOT

KINDS = ("analyze", "list", "customer page", "edit in SQL")


def test_no_call_fails_beside_slow_clients():
    command = [sys.executable, "-m", "tests.load", "--seconds", "5", "--slow", "15", "--customers", "300"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    told = {kind: re.search(rf"^{kind} +(\d[\d,]*) +(\d+) ", done.stdout, re.MULTILINE) for kind in KINDS}
    assert all(told.values()), done.stdout + done.stderr
    assert {kind: int(found[2]) for kind, found in told.items()} == dict.fromkeys(KINDS, 0), done.stdout
    assert all(found[1] != "0" for found in told.values())
    assert re.search(r"^VERDICT: \d+ of 9 goals held", done.stdout, re.MULTILINE)
