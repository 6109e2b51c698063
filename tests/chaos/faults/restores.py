"""Databases that go back to an older state."""

import random
from typing import TYPE_CHECKING

from django.db import connections

from tests.chaos.faults.registry import BrokenPromiseError, End, fault

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

DUMPS = ("pg_dump", "pg_restore")


@fault("a release id used again after a restore", quiet=True, short=False, needs=DUMPS)
def reuse_a_release_id(storm: "Storm", pick: random.Random) -> End:
    """A release after a dump; the dump restored, and another release, which gets the first one's id. The worker knows
    the first one, and stands still while the other comes."""
    dump = storm.server.dump("before")
    storm.release(storm.another_forest(pick))
    first = storm.active_release()
    storm.await_current()
    other = storm.another_forest(pick)
    storm.server.restore_beside(dump)
    with storm.service.frozen():
        connections.close_all()
        storm.server.swap()
        storm.release(other)
    if storm.active_release() != first:
        raise BrokenPromiseError(f"the other release is {storm.active_release()}, not {first} again")
    return None


@fault("a restore without the engine's own data", quiet=True, short=False, needs=DUMPS)
def restore_without_marks(storm: "Storm", pick: random.Random) -> End:
    """Customers who were stale in the dump, without the marks that say so: those tables are unlogged."""
    with storm.service.halted():
        storm.touch_everybody()
        dump = storm.server.dump("stale", "--no-unlogged-table-data")
        storm.server.restore_beside(dump)
        connections.close_all()
        storm.server.swap()
    return None
