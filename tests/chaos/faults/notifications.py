"""Notifications, leases and jobs are lost, come late, or come twice."""

import random
import subprocess
import sys
from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING

from django.db import connections
from django_q.tasks import async_task

from tests.chaos import leases
from tests.chaos.faults.registry import End, fault, repeat
from vigilpay.env import ROOT

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

JOB = "events.jobs.rescore_stale"
RUN_THE_JOB = f"from {JOB.rpartition('.')[0]} import rescore_stale; rescore_stale()"

LOSE_JOBS = "DELETE FROM django_q_ormq"
DELAY_JOBS = "UPDATE django_q_ormq SET lock = clock_timestamp() + interval '2 s'"
CLAIM = "SELECT FROM customers_customer WHERE stale_since IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED"
DELAYED_SECONDS = 2.5


@fault("lose every notification", quiet=True)
def lose_every_notification(storm: "Storm", pick: random.Random) -> End:
    """Every editor finds the lease held and sends no notification, while no drain is on the way."""
    return repeat(lambda: storm.sql(leases.HOLD.format("1 s")), every=0.3)


@fault("a lease of an hour that no worker holds", quiet=True)
def false_lease(storm: "Storm", pick: random.Random) -> End:
    """As a clock that was an hour ahead would leave it."""
    storm.sql(LOSE_JOBS)
    storm.sql(leases.HOLD.format("1 hour"))


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
