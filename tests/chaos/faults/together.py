"""Several at once."""

import random
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.model import replace_the_model_file
from tests.chaos.faults.postgres import crash, terminate_backends
from tests.chaos.faults.processes import kill_a_busy_worker, kill_everything, kill_the_pusher
from tests.chaos.faults.registry import End, fault

if TYPE_CHECKING:
    from tests.chaos.storm import Storm


TOGETHER = (kill_a_busy_worker, kill_the_pusher, kill_everything, crash, terminate_backends, replace_the_model_file)


@fault("three of these at random, at once", outage=True, short=False)
def several(storm: "Storm", pick: random.Random) -> End:
    for inject in pick.sample(TOGETHER, 3):
        inject(storm, pick)
        sleep(pick.uniform(0, 0.5))
    return None
