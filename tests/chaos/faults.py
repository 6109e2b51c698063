"""The faults, by name. Each is done to a storm once; one that lasts returns how to end it."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import sleep
from typing import TYPE_CHECKING

import psycopg
from django.db import connections
from django_q.tasks import async_task

from tests.chaos.service import send
from vigilpay.env import ROOT

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

End = Callable[[], None] | None
Inject = Callable[["Storm", random.Random], End]

DOWN_SECONDS = (0.5, 3.0)
FROZEN_SECONDS = 2.0
JOB = "events.jobs.rescore_stale"
RUN_THE_JOB = f"from {JOB.rpartition('.')[0]} import rescore_stale; rescore_stale()"

# The row for everybody who asks, the sequence for the triggers.
PROMISE = """
WITH promised AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + interval '{}')
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until RETURNING awake_until
)
SELECT setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint) FROM promised
"""
LOSE_JOBS = "DELETE FROM django_q_ormq"
DELAY_JOBS = "UPDATE django_q_ormq SET lock = clock_timestamp() + interval '2 s'"
CLAIM = "SELECT FROM customers_customer WHERE stale_since IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED"
DELAYED_SECONDS = 2.5


@dataclass(frozen=True)
class Fault:
    name: str
    inject: Inject
    outage: bool = False  # editors may lose their connections
    quiet: bool = False  # done to sleeping workers before the editors start, not in their midst
    short: bool | None = None  # belongs to every short storm, or to none; else the seed decides


FAULTS: dict[str, Fault] = {}


def fault(
    name: str, *, outage: bool = False, quiet: bool = False, short: bool | None = None
) -> Callable[[Inject], Inject]:
    def register(inject: Inject) -> Inject:
        FAULTS[name] = Fault(name, inject, outage, quiet, short)
        return inject

    return register


@fault("no fault", short=False)
def nothing(storm: "Storm", pick: random.Random) -> End:
    return None


# --- processes --------------------------------------------------------------------------------------------------------


@fault("kill -9 a busy worker")
def kill_a_busy_worker(storm: "Storm", pick: random.Random) -> End:
    send(storm.service.a_busy_worker(), signal.SIGKILL)


@fault("kill -9 an idle worker", quiet=True, short=True)
def kill_an_idle_worker(storm: "Storm", pick: random.Random) -> End:
    send(storm.service.an_idle_worker(), signal.SIGKILL)


@fault("kill -9 every worker")
def kill_every_worker(storm: "Storm", pick: random.Random) -> End:
    for worker in storm.service.complete()["worker"]:
        send(worker, signal.SIGKILL)


@fault("kill -9 the monitor")
def kill_the_monitor(storm: "Storm", pick: random.Random) -> End:
    storm.kill("monitor")


@fault("kill -9 the pusher")
def kill_the_pusher(storm: "Storm", pick: random.Random) -> End:
    storm.kill("pusher")


@fault("kill -9 the sentinel")
def kill_the_sentinel(storm: "Storm", pick: random.Random) -> End:
    storm.kill("sentinel")


@fault("kill -9 the main process")
def kill_the_main_process(storm: "Storm", pick: random.Random) -> End:
    storm.kill("main")


@fault("kill -9 the supervisor alone")
def kill_the_supervisor(storm: "Storm", pick: random.Random) -> End:
    storm.kill("supervisor")


@fault("kill -9 every process")
def kill_everything(storm: "Storm", pick: random.Random) -> End:
    storm.service.kill_all()


@fault("kill -9 one after another, all the time", short=False)
def kill_all_the_time(storm: "Storm", pick: random.Random) -> End:
    def kill_one() -> None:
        found = storm.service.processes()
        if found:
            send(pick.choice(found), signal.SIGKILL)

    return repeat(kill_one, every=0.7)


@fault("freeze a busy worker for 2 s")
def freeze_a_worker(storm: "Storm", pick: random.Random) -> End:
    worker = storm.service.a_busy_worker()
    send(worker, signal.SIGSTOP)
    sleep(FROZEN_SECONDS)
    send(worker, signal.SIGCONT)


@fault("freeze a busy worker for good", short=False)
def freeze_a_worker_for_good(storm: "Storm", pick: random.Random) -> End:
    send(storm.service.a_busy_worker(), signal.SIGSTOP)


@fault("two services at once, one killed")
def two_services(storm: "Storm", pick: random.Random) -> End:
    other = storm.another_service()
    running = other.running()
    running.__enter__()
    other.complete()

    def end() -> None:
        running.__exit__(None, None, None)

    return end


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@fault("restart PostgreSQL (fast)", outage=True)
def restart(storm: "Storm", pick: random.Random) -> End:
    storm.server.stop("fast")
    sleep(pick.uniform(*DOWN_SECONDS))
    storm.server.start()


@fault("crash PostgreSQL (immediate)", outage=True, short=True)
def crash(storm: "Storm", pick: random.Random) -> End:
    storm.server.stop("immediate")
    sleep(pick.uniform(*DOWN_SECONDS))
    storm.server.start()


@fault("kill -9 a PostgreSQL backend", outage=True)
def kill_a_backend(storm: "Storm", pick: random.Random) -> End:
    storm.server.kill_a_backend()


@fault("terminate all backends", outage=True)
def terminate_backends(storm: "Storm", pick: random.Random) -> End:
    storm.server.terminate_backends()


@fault("terminate all backends, all the time", outage=True, short=False)
def terminate_backends_all_the_time(storm: "Storm", pick: random.Random) -> End:
    return repeat(storm.server.terminate_backends, every=0.8)


# --- the model --------------------------------------------------------------------------------------------------------


@fault("replace the model file")
def replace_the_model_file(storm: "Storm", pick: random.Random) -> End:
    storm.put_in_place(storm.another_forest(pick))


@fault("release a model with other label codes", short=True)
def release_a_model(storm: "Storm", pick: random.Random) -> End:
    storm.release(storm.a_forest_with_other_codes(pick))


@fault("release a model and take it back")
def release_and_roll_back(storm: "Storm", pick: random.Random) -> End:
    before = storm.active_release()
    storm.release(storm.a_forest_with_other_codes(pick))
    sleep(pick.uniform(0, 1))
    storm.roll_back(to=before)


@fault("replace the model file, again and again", short=False)
def replace_the_model_file_again(storm: "Storm", pick: random.Random) -> End:
    return repeat(lambda: storm.put_in_place(storm.another_forest(pick)), every=0.6)


@fault("replace the model file, crash PostgreSQL", outage=True)
def replace_and_crash(storm: "Storm", pick: random.Random) -> End:
    storm.put_in_place(storm.another_forest(pick))
    sleep(pick.uniform(0, 1))
    crash(storm, pick)


# --- knocks and jobs --------------------------------------------------------------------------------------------------


@fault("lose every knock", quiet=True)
def lose_every_knock(storm: "Storm", pick: random.Random) -> End:
    """Every editor is told that somebody will look: none knocks, and nobody is on the way."""
    return repeat(lambda: storm.sql(PROMISE.format("1 s")), every=0.3)


@fault("a promise of an hour that nobody keeps", quiet=True)
def false_promise(storm: "Storm", pick: random.Random) -> End:
    """As a clock that was an hour ahead would leave it."""
    storm.sql(LOSE_JOBS)
    storm.sql(PROMISE.format("1 hour"))


@fault("lose every job", quiet=True)
def lose_every_job(storm: "Storm", pick: random.Random) -> End:
    return repeat(lambda: storm.sql(LOSE_JOBS), every=0.02)


@fault("jobs twice and late")
def jobs_twice_and_late(storm: "Storm", pick: random.Random) -> End:
    """Three now, six later; meanwhile rows are held as by a drain that has claimed them and does not come on."""
    connections.close_all()
    for _ in range(6):
        async_task(JOB)
    storm.sql(DELAY_JOBS)
    for _ in range(3):
        async_task(JOB)
    with storm.server.connect() as drain, drain.transaction():
        drain.execute(CLAIM)
        sleep(DELAYED_SECONDS / 2)
    return lambda: sleep(DELAYED_SECONDS / 2)


@fault("drains in several processes at once", short=False)
def drains_at_once(storm: "Storm", pick: random.Random) -> End:
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", RUN_THE_JOB]
    log = (storm.server.folder / "drains.log").open("ab")
    drains = [
        subprocess.Popen(command, cwd=ROOT, env=storm.environment(), stdout=log, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    log.close()

    def end() -> None:
        for drain in drains:
            with suppress(subprocess.TimeoutExpired):
                drain.wait(timeout=30)
            drain.kill()
            drain.wait()

    return end


# --- all at once ------------------------------------------------------------------------------------------------------

TOGETHER = (kill_a_busy_worker, kill_the_pusher, kill_everything, crash, terminate_backends, replace_the_model_file)


@fault("three of these at random, at once", outage=True, short=False)
def several(storm: "Storm", pick: random.Random) -> End:
    for inject in pick.sample(TOGETHER, 3):
        inject(storm, pick)
        sleep(pick.uniform(0, 0.5))
    return None


def repeat(action: Callable[[], object], every: float) -> Callable[[], None]:
    """Do it again and again, whatever else is out of order; returns how to end that."""
    stop = Event()

    def run() -> None:
        while not stop.wait(every):
            with suppress(psycopg.Error):
                action()

    thread = Thread(target=run, daemon=True)
    thread.start()

    def end() -> None:
        stop.set()
        thread.join()

    return end
