"""Databases that go back to an older state."""

import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from django.db import connections

from customers.models import StaleMark
from customers.releases.active import active_model
from tests.chaos.faults.registry import End, fault
from vigilpay.env import ROOT

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

DUMPS = ("pg_dump", "pg_restore")
GIVE_IDS_FROM = "SELECT setval(pg_get_serial_sequence('customers_modelrelease', 'id'), {}, false)"


@fault("a release id used again after a restore", quiet=True, short=False, needs=DUMPS)
def reuse_a_release_id(storm: "Storm", pick: random.Random) -> End:
    """A release after a dump; the dump restored; and another release, on another host, which gets the first one's id.

    Our worker remembers the first one; no score may be another model's than it says.
    """
    dump = storm.server.dump("before")
    storm.release(storm.another_forest(pick))
    first = storm.active_release()
    storm.touch_all()
    storm.await_current()
    active_model()  # as the workers have, so have the web processes seen this one in service
    other = storm.another_forest(pick)
    storm.server.restore_beside(dump)
    release_beside(storm, other, first)
    connections.close_all()
    storm.server.swap()

    def end() -> None:
        storm.put_in_place(other)
        storm.await_current()

    return end


def release_beside(storm: "Storm", path: Path, release: int) -> None:
    """In the database beside, from a host without any model file."""
    folder = storm.server.folder / "other_host"
    url = storm.server.url_beside
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(GIVE_IDS_FROM.format(release))
    environment = {**storm.environment(), "DATABASE_URL": url, "VIGILPAY_ML_ASSETS": str(folder)}
    command = [sys.executable, "manage.py", "release_model", str(path), "--yes", "--note=on another host"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)


@fault("a restore without the marks", quiet=True, short=False, needs=DUMPS)
def restore_without_marks(storm: "Storm", pick: random.Random) -> End:
    """Customers who were stale in the dump, without the marks that say so."""
    with storm.service.halted():
        storm.touch_all()
        dump = storm.server.dump("stale", f"--exclude-table-data={StaleMark._meta.db_table}")
        storm.server.restore_beside(dump)
        connections.close_all()
        storm.server.swap()
    return None
