"""The short storm, as `make chaos-short` runs it."""

import subprocess
import sys

import pytest

from vigilpay import env

SECONDS = 240  # on a machine that does other things too


@pytest.mark.timeout(SECONDS + 30)
def test_after_a_short_storm_every_score_is_right_and_nothing_is_lost():
    seed = env.text("CHAOS_SEED", "")
    command = [sys.executable, "-m", "tests.chaos", "--short", *(["--seed", seed] if seed else [])]
    done = subprocess.run(command, cwd=env.ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
