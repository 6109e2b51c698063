"""The worker that needs no looking after: real processes, killed or stopped one by one, and scores that follow."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.cluster_processes import cluster_of, is_complete, roles
from tests.databases import migrated_database
from tests.factories import A_CUSTOMER
from tests.others import await_that
from tests.workers import running_worker
from vigilpay.processes.children import Child

ROOT = Path(__file__).resolve().parents[2]
MANY = 30  # more than can wait unread on a slow machine, one each second
IMPATIENT = {"VIGILPAY_STALL_SECONDS": "5", "VIGILPAY_DRAIN_SECONDS": "1.5"}


@pytest.fixture(scope="module")
def url():
    with migrated_database("vigilpay_test_run_worker") as address:
        with psycopg.connect(address) as editor:
            columns = ", ".join(["customer_id", *A_CUSTOMER])
            places = ", ".join(["%s"] * (1 + len(A_CUSTOMER)))
            editor.execute(f"INSERT INTO customers_customer ({columns}) VALUES ({places})", [1, *A_CUSTOMER.values()])
        yield address


@pytest.fixture
def worker(url, tmp_path):
    with running_worker(url, tmp_path / "log", **IMPATIENT) as supervisor:
        yield Worker(supervisor, url)


class Worker:
    def __init__(self, supervisor, url):
        self.supervisor, self.url = supervisor, url

    def main(self):
        return cluster_of(self.supervisor.pid)

    def idle_processes(self):
        """By role, once everything is scored and all processes wait."""
        follows_an_edit(self.url)
        await_that(lambda: not time.sleep(0.1) and is_complete(roles(self.main())), "the cluster is complete")
        await_that(lambda: not unfinished_jobs(self), "the last drain has gone to sleep")
        return roles(self.main())


@pytest.fixture(scope="class")
def battered(url, tmp_path_factory):
    """One worker for all who hit it: it has to live through the lot."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with running_worker(url, log, **IMPATIENT) as supervisor:
        yield Worker(supervisor, url)


class TestPartsThatFail:
    @pytest.mark.parametrize("role", ["worker", "monitor", "pusher", "sentinel", "main"])
    def test_a_killed_process_is_noticed_and_the_next_edit_is_scored_without_help(self, battered, role):
        processes = battered.idle_processes()
        os.kill(processes[role][0], signal.SIGKILL)
        is_replaced(battered, processes)

    @pytest.mark.parametrize("role", ["monitor", "pusher", "sentinel"])
    def test_a_process_that_stands_still_is_noticed_too(self, battered, role):
        """No process dies and none complains: only the facts in the database tell."""
        processes = battered.idle_processes()
        os.kill(processes[role][0], signal.SIGSTOP)
        is_replaced(battered, processes)


def test_sigterm_to_the_process_stops_all_of_it(worker):
    processes = worker.idle_processes()
    os.kill(worker.supervisor.pid, signal.SIGTERM)
    has_stopped(worker, processes)
    assert rows_of(worker) == 0


def test_sigterm_to_its_whole_group_does_the_same(worker):
    """What ``timeout`` and many service managers send, and what makes a bare ``qcluster`` hang."""
    processes = worker.idle_processes()
    os.killpg(worker.supervisor.pid, signal.SIGTERM)
    has_stopped(worker, processes)


def test_a_cluster_whose_supervisor_is_killed_does_not_live_on_unwatched(worker):
    processes = worker.idle_processes()
    os.kill(worker.supervisor.pid, signal.SIGKILL)
    await_that(lambda: not any(map(lives, flat(processes))), "the cluster has ended itself")


def test_a_second_signal_kills_at_once_what_does_not_stop(worker):
    processes = worker.idle_processes()
    os.kill(processes["main"][0], signal.SIGSTOP)
    worker.supervisor.terminate()
    time.sleep(1)  # two signals at the same moment are one wish
    assert not worker.supervisor.has_ended()
    worker.supervisor.terminate()
    has_stopped(worker, processes)


def test_without_postgresql_at_the_start_it_waits_and_says_so_once(tmp_path):
    nowhere = "postgresql://vigilpay@127.0.0.1:1/vigilpay"
    with running_worker(nowhere, tmp_path / "log", **IMPATIENT) as supervisor:
        said = (tmp_path / "log").read_text
        await_that(lambda: "lost PostgreSQL" in said(), "it says what it waits for")
        time.sleep(1.5)
        assert said().count("The supervisor") == 1
        assert "Traceback" not in said()
        supervisor.terminate()
        await_that(supervisor.has_ended, "it stops when asked to, all the same")
        assert supervisor.exit_code() == 0


def test_it_starts_once_postgresql_lets_it_in_and_outlives_another_outage(url, tmp_path):
    shut(url)
    with running_worker(url, tmp_path / "log", **IMPATIENT) as supervisor:
        said = (tmp_path / "log").read_text
        try:
            await_that(lambda: "lost PostgreSQL" in said(), "it waits")
            unshut(url)
            follows_an_edit(url)
            main = cluster_of(supervisor.pid)
            shut(url)
            noticed = ("The broker lost", "The supervisor has PostgreSQL again", "The supervisor lost")
            await_that(lambda: all(words in said() for words in noticed), "supervisor and broker noticed")
            time.sleep(6)  # longer than a stall
        finally:
            unshut(url)
        follows_an_edit(url)
        assert cluster_of(supervisor.pid) == main  # an outage is no fault of the cluster's
        assert "The broker has PostgreSQL again" in said()
        assert said().count("The broker lost PostgreSQL") <= 2  # pusher, and monitor if it had something to say


def test_another_broker_is_refused_for_it_leaves_no_signs_of_life(url):
    done = manage("run_worker", fails=True, DATABASE_URL=url, VIGILPAY_BROKER="django_q.brokers.orm.ORM")
    assert "VIGILPAY_BROKER" in done.stderr


def test_systemd_is_notified_until_it_stands_still_and_a_log_that_is_not_read_holds_up_nothing(url, tmp_path):
    """A pipe that is full from the beginning, and a NOTIFY_SOCKET of our own."""
    reading, writing = os.pipe()
    fill(writing)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, os.fdopen(reading), os.fdopen(writing) as log:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        told = {**os.environ, "DATABASE_URL": url, "NOTIFY_SOCKET": str(tmp_path / "notify"), **IMPATIENT}
        with Child("worker", "run_worker", env=told, stdout=log, stderr=log) as supervisor:
            assert systemd.recv(100) == b"READY=1"
            processes = Worker(supervisor, url).idle_processes()
            assert {systemd.recv(100) for _ in range(3)} == {b"WATCHDOG=1"}
            os.kill(supervisor.pid, signal.SIGSTOP)
            await_that(lambda: stands_still(supervisor.pid), "it stands still")
            read_all(systemd)
            systemd.settimeout(3)
            with pytest.raises(TimeoutError):  # no more is said
                systemd.recv(100)
            os.kill(supervisor.pid, signal.SIGKILL)  # as WatchdogSignal says in deploy/
            await_that(lambda: not any(map(lives, flat(processes))), "the cluster has ended itself")


# --- what they ask ----------------------------------------------------------------------------------------------------


def fill(writing):
    """Until the pipe takes no byte more; left as blocking as it was."""
    os.set_blocking(writing, False)
    for size in (65536, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(writing, b"." * size)
    os.set_blocking(writing, True)


def stands_still(pid):
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def read_all(systemd):
    """What was said so far."""
    systemd.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            systemd.recv(100)


def shut(url):
    """PostgreSQL takes no connections, and ends those that there are."""
    with maintenance(url) as connection:
        connection.execute(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name_of(url)]
        )


def unshut(url):
    with maintenance(url) as connection:
        connection.execute(f"ALTER DATABASE {name_of(url)} ALLOW_CONNECTIONS true")


def name_of(url):
    return conninfo_to_dict(url)["dbname"]


def maintenance(url):
    return psycopg.connect(url, dbname="postgres", autocommit=True)


def manage(*command, fails=False, **environment):
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done


def follows_an_edit(url):
    """Edit in plain SQL, as from psql, and wait for the score."""
    with psycopg.connect(url, autocommit=True) as editor:
        editor.execute("UPDATE customers_customer SET credit_score = 350 + (credit_score - 349) %% 500", [])
        stale = "SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL"
        await_that(lambda: editor.execute(stale).fetchone() == (0,), "the score follows", seconds=40)


def unfinished_jobs(worker):
    """Its own; those that were killed with another cluster wait for their time."""
    with psycopg.connect(worker.url) as looker:
        unfinished = "SELECT count(*) FROM events_worker WHERE name LIKE %s AND claimed_at IS NOT NULL"
        return looker.execute(unfinished, [names(worker)]).fetchone()[0]


def has_stopped(worker, processes):
    await_that(worker.supervisor.has_ended, "it has stopped")
    assert worker.supervisor.exit_code() == 0
    assert not any(map(lives, flat(processes)))


def is_replaced(worker, processes):
    follows_an_edit(worker.url)
    await_that(lambda: worker.main() not in (None, *processes["main"]), "another cluster runs")
    await_that(lambda: not any(map(lives, flat(processes))), "nothing of the former cluster is left")


def flat(processes):
    return [pid for pids in processes.values() for pid in pids]


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def rows_of(worker):
    with psycopg.connect(worker.url) as looker:
        return looker.execute("SELECT count(*) FROM events_worker WHERE name LIKE %s", [names(worker)]).fetchone()[0]


def names(worker):
    return f"{socket.gethostname()}:{worker.supervisor.pid}:%"
