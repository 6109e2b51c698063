"""Processes of the worker are killed or frozen."""

import random
import signal
from time import sleep
from typing import TYPE_CHECKING

from tests.chaos.faults.registry import End, fault, repeat
from tests.chaos.service import send

if TYPE_CHECKING:
    from tests.chaos.storm import Storm

FROZEN_SECONDS = 2.0


@fault("no fault", short=False)
def nothing(storm: "Storm", pick: random.Random) -> End:
    return None


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
