"""Another model comes."""

import random
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.postgres import crash
from tests.chaos.faults.registry import End, fault, repeat

if TYPE_CHECKING:
    from tests.chaos.storm import Storm


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
