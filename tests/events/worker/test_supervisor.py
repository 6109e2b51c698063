"""What the supervisor does about a cluster, tried on clusters that do as they are told; the facts are real."""

import itertools
import os
import signal
import socket
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from events.models.engine import Worker
from events.worker import heartbeat, supervisor
from events.worker.heartbeat import Heartbeats, WorkerTable
from events.worker.supervisor import LONGEST_PAUSE_SECONDS, Supervisor, growing_pauses
from tests.others import await_that, meanwhile, outsider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervisor, "CHECK_SECONDS", 0.02)


class Signals:
    """As ``StopSignals``, but asked by the test."""

    def __init__(self):
        self.asked = 0
        self._event = threading.Event()

    def ask(self):
        self.asked += 1
        self._event.set()

    def wait(self, seconds):
        self._event.wait(min(seconds, 1))
        return self.asked


class Cluster:
    """Runs until it is told otherwise; ``stubborn`` ones do not stop when asked to."""

    def __init__(self, name, stubborn=False):
        self.name, self.stubborn = name, stubborn
        self.code, self.told = None, []

    def exit_code(self):
        return self.code

    def terminate(self):
        self.told.append("terminate")
        if not self.stubborn:
            self.code = 0

    def kill(self):
        self.told.append("kill")
        self.code = -9 if self.code is None else self.code


class Scene:
    """A supervisor at work in a thread of its own."""

    def __init__(self, stubborn=False, stall_seconds=30.0, stop_seconds=30.0, manager=None):
        self.signals, self.clusters = Signals(), []

        def launch(name):
            self.clusters.append(Cluster(name, stubborn))
            return self.clusters[-1]

        self.supervisor = Supervisor(
            launch, self.signals, manager, stall_seconds=stall_seconds, stop_seconds=stop_seconds
        )
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self.supervisor.run()
        finally:
            connections.close_all()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc_info):
        while self.thread.is_alive():
            self.signals.ask()
            self.thread.join(0.1)

    def cluster(self, number=1):
        await_that(lambda: len(self.clusters) >= number, f"cluster {number} is started")
        return self.clusters[number - 1]

    def stop(self):
        self.signals.ask()
        self.thread.join(30)
        assert not self.thread.is_alive()


def test_a_cluster_has_a_row_of_its_own_before_it_starts_and_none_after_it():
    with Scene() as scene:
        cluster = scene.cluster()
        row = Worker.objects.get()
        assert (row.name, row.host) == (cluster.name, socket.gethostname())
        scene.stop()
    assert not Worker.objects.exists()


def test_on_demand_it_asks_the_cluster_to_stop_and_clears_what_is_left_of_its_group():
    with Scene() as scene:
        cluster = scene.cluster()
        scene.stop()
    assert cluster.told == ["terminate", "kill"]
    assert len(scene.clusters) == 1


def test_a_cluster_that_does_not_stop_is_killed_when_its_time_is_up():
    with Scene(stubborn=True, stop_seconds=0.1) as scene:
        cluster = scene.cluster()
        scene.stop()
    assert cluster.told == ["terminate", "kill"]


def test_a_second_demand_waits_for_nothing():
    with Scene(stubborn=True, stop_seconds=3600) as scene:
        cluster = scene.cluster()
        scene.signals.ask()
        await_that(lambda: cluster.told, "it was asked to stop")
        assert cluster.told == ["terminate"]
        scene.stop()
    assert cluster.told == ["terminate", "kill"]


@pytest.mark.parametrize("code", [0, 1, -9])
def test_a_cluster_that_ended_by_itself_is_cleared_away_and_started_anew_whatever_its_code(code, caplog):
    with Scene() as scene:
        scene.cluster().code = code
        second = scene.cluster(2)
        assert scene.cluster().told == ["kill"]
        assert second.name != scene.cluster().name
        assert [row.name for row in Worker.objects.all()] == [second.name]
    assert f"ended by itself with {code}" in caplog.text


def test_a_cluster_that_stalls_is_killed_without_being_asked_and_started_anew(caplog):
    with Scene(stall_seconds=0.5) as scene:
        cluster = scene.cluster()
        Worker.objects.update(looked_at=timezone.now(), acknowledged_at=timezone.now())  # and never again
        scene.cluster(2)
        assert cluster.told == ["kill"]
    assert "its pusher has not looked" in caplog.text


def test_a_fault_that_stays_is_told_until_the_pauses_are_longest_and_so_is_its_end(monkeypatch, caplog):
    monkeypatch.setattr(supervisor, "growing_pauses", lambda: itertools.chain([0, 0.01], itertools.repeat(0.02)))
    with Scene(stall_seconds=0.2) as scene:
        for number in range(1, 8):
            scene.cluster(number).code = 1
        cluster = scene.cluster(8)
        assert caplog.text.count("is started anew") == 1  # in 0 s, rounded
        await_that(lambda: Worker.objects.filter(name=cluster.name).exists(), "it is registered")
        signs = threading.Event()

        def live():
            while not signs.wait(0.05):
                now = timezone.now()
                Worker.objects.filter(name=cluster.name).update(looked_at=now, guarded_at=now, acknowledged_at=now)

        with meanwhile(live):
            await_that(lambda: "at work again" in caplog.text, "it is steady")
            signs.set()
        assert cluster.told == []


def test_an_outage_is_waited_for_and_kills_no_cluster(caplog):
    with Scene(stall_seconds=0.5) as scene:
        scene.cluster()
        Worker.objects.update(looked_at=timezone.now(), acknowledged_at=timezone.now())
        with renamed("events_worker"):
            await_that(lambda: "The supervisor lost" in caplog.text, "it noticed")
            scene.thread.join(1.0)  # longer than a stall
            assert scene.cluster().told == []
        await_that(lambda: "has PostgreSQL again" in caplog.text, "it noticed that, too")
    assert caplog.text.count("The supervisor lost") == 1


def test_without_the_tables_it_waits_and_says_once_what_for(caplog):
    newest = "SELECT name FROM django_migrations WHERE app = 'events' ORDER BY id DESC LIMIT 1"
    [(name,)] = _sql(newest)
    _sql("UPDATE django_migrations SET name = 'not yet' WHERE app = 'events' AND name = %s RETURNING 1", name)
    try:
        with Scene() as scene:
            await_that(lambda: "manage.py migrate" in caplog.text, "it says so")
            scene.thread.join(0.2)
            assert scene.clusters == []
            _sql("UPDATE django_migrations SET name = %s WHERE app = 'events' AND name = 'not yet' RETURNING 1", name)
            scene.cluster()
        assert caplog.text.count("manage.py migrate") == 1
    finally:
        _sql("UPDATE django_migrations SET name = %s WHERE app = 'events' AND name = 'not yet' RETURNING 1", name)


def test_rows_of_clusters_that_are_long_gone_are_cleared_away():
    day = timedelta(days=1)
    Worker.objects.create(name="gone", started_at=timezone.now() - 3 * day, looked_at=timezone.now() - 2 * day)
    Worker.objects.create(name="never looked", started_at=timezone.now() - 2 * day)
    Worker.objects.create(name="at work", started_at=timezone.now() - 3 * day, looked_at=timezone.now())
    table = WorkerTable()
    table.register("new")
    table.close()
    assert set(Worker.objects.values_list("name", flat=True)) == {"at work", "new"}


def test_its_own_connection_gives_up_soon():
    table = WorkerTable()
    assert table._execute("SHOW statement_timeout") == [("5s",)]
    assert table._execute("SHOW synchronous_commit") == [("off",)]
    table.close()
    with connection.cursor() as cursor:  # and no other one does
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_the_first_new_start_comes_at_once_and_the_others_ever_later():
    pauses = growing_pauses()
    assert [next(pauses) for _ in range(9)] == [0, 1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, 30, 30]


class renamed:  # noqa: N801  reads as a verb
    """The table is out of reach, as in an outage."""

    def __init__(self, table):
        self.table = table

    def __enter__(self):
        with outsider() as administrator:
            administrator.execute(f"ALTER TABLE {self.table} RENAME TO {self.table}_away")

    def __exit__(self, *exc_info):
        with outsider() as administrator:
            administrator.execute(f"ALTER TABLE {self.table}_away RENAME TO {self.table}")


def _sql(statement, *values):
    with outsider() as administrator:
        return administrator.execute(statement, values).fetchall()


class TestServiceManager:
    def test_it_is_told_of_the_start_the_end_and_every_turn_in_between(self, tmp_path):
        told = []
        scene = Scene(manager=SimpleNamespace(report_state=told.append))
        with scene:
            await_that(lambda: told.count("WATCHDOG=1") > 3, "it is alive")
        assert told[0] == "READY=1"
        assert told[-1] == "STOPPING=1"

    def test_it_receives_nothing_while_the_loop_stands_still(self, monkeypatch):
        told, stands_still, goes_on = [], threading.Event(), threading.Event()

        def stand_still(table, name):
            stands_still.set()
            goes_on.wait(30)
            return Heartbeats()

        monkeypatch.setattr(WorkerTable, "heartbeats_of", stand_still)
        with Scene(manager=SimpleNamespace(report_state=told.append)):
            stands_still.wait(30)
            before = len(told)
            time.sleep(0.2)  # ten turns
            assert len(told) == before
            goes_on.set()


def test_a_server_that_stands_still_is_given_up_even_on_a_unix_socket(monkeypatch):
    monkeypatch.setattr(heartbeat, "ANSWER_SECONDS", 0.3)
    table = WorkerTable()
    assert table.heartbeats_of("unknown") == Heartbeats()
    with table.connected().cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(backend,)] = cursor.fetchall()
    stopped(backend, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(OperationalError):
            table.heartbeats_of("unknown")
        table.close()
        assert time.monotonic() - began < 3
        assert table.heartbeats_of("unknown") == Heartbeats()  # by another connection
    finally:
        os.kill(backend, signal.SIGCONT)
        table.close()


def stopped(pid, number):
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pytest.skip("the server's processes are another machine's, or another user's")
