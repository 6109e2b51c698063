"""Threads and programs beside a test end with it, however it ends: a failure is told, and no run hangs."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.others import going_on, meanwhile, program, together

ROOT = Path(__file__).resolve().parent.parent
ENDLESS = (sys.executable, "-c", "import time; time.sleep(1000)")


class OddError(Exception):
    pass


@contextmanager
def closing_with(last):
    try:
        yield
    finally:
        last()


def test_a_block_that_fails_does_not_wait_for_what_waits_for_it():
    is_free, ended = threading.Event(), threading.Event()

    def part():
        is_free.wait(60)
        ended.set()

    with pytest.raises(OddError), closing_with(is_free.set), meanwhile(part):
        raise OddError
    assert ended.wait(60)


def test_an_error_beside_the_block_ends_it():
    with pytest.raises(ZeroDivisionError), meanwhile(lambda: 1 / 0):
        pass


def test_what_goes_on_ends_with_a_block_that_fails():
    ended = threading.Event()

    def part(is_over):
        is_over.wait(60)
        ended.set()

    with pytest.raises(OddError), going_on(part):
        raise OddError
    assert ended.wait(60)


def test_of_several_parts_the_others_have_ended_when_the_error_of_one_comes():
    ended = threading.Event()
    with pytest.raises(ZeroDivisionError):
        together(lambda: 1 / 0, ended.set)
    assert ended.is_set()


def test_a_program_does_not_outlive_a_block_that_fails():
    with pytest.raises(OddError), program(*ENDLESS) as it:
        raise OddError
    assert it.poll() is not None


HANGS = """
import pytest, threading

@pytest.fixture
def never_ends():
    yield
    threading.Event().wait()

def test_hangs(never_ends):
    assert False, "and so no time limit is left for the end of the fixture"

def test_other():
    pass
"""


def test_a_test_that_hangs_after_its_failure_is_told_with_its_stack_and_the_others_run(tmp_path):
    (tmp_path / "test_it.py").write_text(HANGS)
    options = ("-c", "pyproject.toml", "--rootdir", ".", "-p", "tests.hanging", "-n1", "--timeout=5")
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_it.py")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    said = run.stdout + run.stderr
    assert run.returncode == 1, said
    assert "crashed while running" in said, said
    assert "in never_ends" in said, said
    assert "1 passed" in said, said
