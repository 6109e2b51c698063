"""PostgreSQL goes away, or takes connections away."""

import random
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.registry import End, fault, repeat

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

DOWN_SECONDS = (0.5, 3.0)


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
