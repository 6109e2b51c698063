"""A poll every second: our scoring, called by the clock instead of by notifications and jobs.

``python -m tests.benchmarks.rivals.poll`` runs until it is stopped.
"""

from time import sleep

import django

POLL_SECONDS = 1.0


def main() -> None:
    django.setup()
    from customers.scoring import scorer
    from events.queue import dispatch

    while True:
        while dispatch.anything_to_do():
            scorer.rescore_batch()
        sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
