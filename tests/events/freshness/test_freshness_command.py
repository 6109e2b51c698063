"""``manage.py freshness``: a table for people, live on a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from django.core.management import call_command
from django.db import OperationalError

from customers.models import DriftCheck, ModelRelease
from events.management.commands import freshness as command
from events.queue import pause
from tests.databases import url_of_test_database
from tests.factories import make_customer, make_scored
from tests.others import program

MANAGE = [sys.executable, "manage.py", "freshness"]


def said(capsys, *arguments):
    call_command("freshness", *arguments)
    return capsys.readouterr().out


@pytest.mark.django_db
class TestOnce:
    def test_the_table_says_what_there_is(self, capsys):
        make_scored()
        make_customer()
        table = said(capsys)
        assert re.search(r"^status +catching up$", table, re.MULTILINE)
        assert re.search(r"^not up to date +1; longest wait \d+ ms$", table, re.MULTILINE)
        assert re.search(r"^release \d+ \(active\) +1 \(50\.0.%\), 0 not up to date$", table, re.MULTILINE)
        assert re.search(r"^no score +1 \(50\.0.%\), 1 not up to date$", table, re.MULTILINE)
        assert re.search(r"^last scoring run +none yet$", table, re.MULTILINE)

    def test_a_pause_stands_on_top(self, capsys):
        pause.pause(by="ann", reason="review")
        assert re.match(r"status +paused\n +Scoring has been paused since .* by ann: review\.", said(capsys))

    def test_drift_is_a_warning_below_the_status(self, capsys):
        make_scored()
        moved = {"bin": "75 or more", "reference_share": 0.1, "share": 0.4}
        DriftCheck.objects.create(
            release=ModelRelease.objects.active(),
            reference_rows=8000,
            customers=1000,
            scores=1000,
            shifts=[{"column": "age", "psi": 0.42, "by_chance": 0.02, "moved_most": moved}],
        )
        table = said(capsys)
        assert re.search(r"^status +current\n +Every score .*\nwarning +The customers differ from those", table)
        assert re.search(r"^drift +largest in age: PSI 0\.420, major shift; checked on \d+ ", table, re.MULTILINE)

    def test_before_a_look_for_drift_it_says_so(self, capsys):
        assert re.search(r"^drift +the active model has not been checked$", said(capsys), re.MULTILINE)

    def test_as_json_it_is_what_the_view_says(self, capsys):
        make_customer()
        told = json.loads(said(capsys, "--json"))
        assert (told["status"], told["customers"]) == ("catching up", 1)


@pytest.mark.django_db(transaction=True)
class TestWatch:
    @pytest.fixture
    def environment(self):
        return {**os.environ, "DATABASE_URL": url_of_test_database()}

    def read_until(self, terminal, pattern, text=""):
        deadline = time.monotonic() + 60
        while not re.search(pattern, text):
            assert time.monotonic() < deadline, text
            if select.select([terminal], [], [], 1)[0]:
                text += os.read(terminal, 10_000).decode()
        return text

    def test_on_a_terminal_it_is_drawn_again_in_place_until_ctrl_c(self, environment):
        make_customer()
        master, slave = pty.openpty()
        watching = subprocess.Popen(
            [*MANAGE, "--watch"], stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        try:
            shown = self.read_until(master, r"customers +1\b")
            make_customer()
            shown += self.read_until(master, r"customers +2\b")
            assert shown.startswith("\x1b[2J\x1b[H")
            watching.send_signal(signal.SIGINT)
            rest = self.read_until(master, r"\n$")
            assert watching.wait(timeout=60) == 0
            assert "Traceback" not in shown + rest
        finally:
            watching.kill()
            watching.wait()
            os.close(master)

    def test_into_a_pipe_it_writes_one_line_of_json_a_second(self, environment):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with program(*MANAGE, "--watch", "--json", env=environment, **pipes) as watching:
            lines = [json.loads(watching.stdout.readline()) for _ in range(2)]
            watching.send_signal(signal.SIGINT)
            _, errors = watching.communicate(timeout=60)
        assert [line["status"] for line in lines] == ["current", "current"]
        assert errors == b""
        assert watching.returncode == 0


def test_while_the_database_is_away_the_watch_says_so_and_stays(monkeypatch):
    def no_answer():
        raise OperationalError("server closed\nthe connection")

    monkeypatch.setattr(command, "freshness", no_answer)
    monkeypatch.setattr(command, "close_old_connections", lambda: None)
    assert command.answer_or_trouble(as_json=False) == "The database does not answer: server closed the connection"
    assert json.loads(command.answer_or_trouble(as_json=True)).keys() == {"error"}


def test_a_screen_is_never_larger_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "4")
    drawn = command.screen("\n".join(["x" * 50] * 20))
    assert drawn.count("x") == 3 * 10
    assert drawn.count("\n") == 3
