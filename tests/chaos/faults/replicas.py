"""The server is lost, and a streaming replica is promoted in its place."""

import random
from time import sleep
from typing import TYPE_CHECKING

from django.core.management import call_command
from django.db import connections

from tests.chaos.faults.registry import End, fault

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

BASEBACKUP = ("pg_basebackup",)
SYNCHRONOUS = ("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
LOST_SECONDS = (0.3, 1.0)


def attach(storm: "Storm", pick: random.Random) -> End:
    """A replica that streams; nothing waits for it."""
    storm.standby = storm.server.standby()
    storm.server.await_replica("async")
    return None


def attach_synchronously(storm: "Storm", pick: random.Random) -> End:
    """What PostgreSQL confirms, the replica has."""
    storm.standby = storm.server.standby()
    storm.sql(*SYNCHRONOUS)
    storm.server.await_replica("sync")
    return None


def attach_and_migrate(storm: "Storm", pick: random.Random) -> End:
    """The replica is older than every table: it has them from the stream alone."""
    attach(storm, pick)
    dump = storm.server.dump("before")
    with storm.service.halted():
        storm.server.make_beside()
        connections.close_all()
        storm.server.swap()
        call_command("migrate", verbosity=0)
        connections.close_all()
        storm.sql(EMPTY_ALL_TABLES)
        storm.server.load(dump)
        # --disable-triggers has left them enabled for ordinary sessions only, as the check says: events.E001.
        call_command("install_triggers", verbosity=0)
        connections.close_all()
    storm.await_current()
    return None


def attach_and_restore(storm: "Storm", pick: random.Random) -> End:
    attach(storm, pick)
    storm.server.restore_beside(storm.server.dump("before"))
    connections.close_all()
    storm.server.swap()
    return None


EMPTY_ALL_TABLES = """
DO $each$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') FROM pg_class
             WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace);
END $each$
"""


@fault("promote a synchronous replica", outage=True, short=False, needs=BASEBACKUP, prepare=attach_synchronously)
def promote_synchronous(storm: "Storm", pick: random.Random) -> End:
    storm.server.fail_over_to(storm.standby)


@fault("promote a replica that lags, with lost commits", outage=True, short=False, needs=BASEBACKUP, prepare=attach)
def promote_lagging(storm: "Storm", pick: random.Random) -> End:
    """What comes after the replica has lost touch was confirmed, and is lost with the server."""
    storm.expect_losses(True)
    storm.standby.stop_streaming()
    sleep(pick.uniform(*LOST_SECONDS))
    storm.server.fail_over_to(storm.standby)
    storm.expect_losses(False)


NEEDS_ALL = (*BASEBACKUP, "pg_dump", "pg_restore")


@fault("promote a replica right after migrate", outage=True, short=False, needs=NEEDS_ALL, prepare=attach_and_migrate)
def promote_after_migrate(storm: "Storm", pick: random.Random) -> End:
    promote_caught_up(storm)


@fault("promote a replica right after a restore", outage=True, short=False, needs=NEEDS_ALL, prepare=attach_and_restore)
def promote_after_restore(storm: "Storm", pick: random.Random) -> End:
    promote_caught_up(storm)


def promote_caught_up(storm: "Storm") -> None:
    """An asynchronous one that has everything but for the last moment."""
    storm.expect_losses(True)
    sleep(0.2)
    storm.server.fail_over_to(storm.standby)
    storm.expect_losses(False)
