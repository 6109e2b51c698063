"""Kernels are compiled before a worker starts, and nothing waits for that when it is asked to stop."""

import logging
import os
import sys

import pytest

from customers.ml_service.warm import main
from events.worker.stop_signals import StopSignals
from tests.others import await_that
from vigilpay.management.commands import run_worker
from vigilpay.processes import warming


@pytest.fixture
def compiler(monkeypatch, tmp_path):
    """Has another program stand in for the compiler, which takes 20 s; returns what it has written."""

    def runs(program):
        monkeypatch.setattr(warming, "COMMAND", [sys.executable, "-c", program, str(tmp_path / "written")])
        return tmp_path / "written"

    return runs


WRITES = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid()))"


def test_it_runs_the_module_that_warms_the_kernels():
    assert [sys.executable, "-m", main.__module__] == warming.COMMAND


@pytest.mark.parametrize("then", ["", "; sys.exit(1)"])
def test_the_worker_starts_when_it_has_ended_however_it_has(compiler, then):
    written = compiler(WRITES + then)
    with StopSignals() as signals:
        warming.warm(signals)
    assert written.read_text()


def test_a_long_compilation_is_told(compiler, monkeypatch, caplog):
    monkeypatch.setattr(warming, "QUICK_SECONDS", 0.0)
    monkeypatch.setattr(warming, "LOOK_SECONDS", 0.01)
    compiler("import time; time.sleep(0.2)")
    with StopSignals() as signals, caplog.at_level(logging.INFO, "vigilpay.events"):
        warming.warm(signals)
    assert len(caplog.messages) == 1


def test_asked_to_stop_it_leaves_nothing_behind(compiler):
    written = compiler(f"{WRITES}; import time; time.sleep(600)")

    class Asked:
        asked = 1

        def wait(self, seconds):
            await_that(lambda: written.exists() and written.read_text(), "the compiler runs")
            return self.asked

    warming.warm(Asked())
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)


def test_run_worker_warms_before_it_starts_a_cluster(monkeypatch):
    done = []

    class Supervisor:
        def __init__(self, *_given, **_limits):
            pass

        def run(self):
            done.append("supervise")

    monkeypatch.setattr(run_worker, "warm", lambda signals: done.append("warm"))
    monkeypatch.setattr(run_worker, "Supervisor", Supervisor)
    run_worker.Command().handle()
    assert done == ["warm", "supervise"]
