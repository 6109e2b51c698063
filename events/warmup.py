"""A worker that is about to wait for its first job gets ready for it."""

import logging
from typing import Any

from customers.ml_service import ModelError, current_forest, warm_kernels

log = logging.getLogger("vigilpay.events")


def worker_spawned(**kwargs: Any) -> None:
    """Load model and kernels now: half a second that the first edit would otherwise wait for.

    In the worker and not before the fork, so that a worker's successor loads the file of its own day.
    """
    warm_kernels()
    try:
        current_forest()
    except ModelError as error:
        log.warning("No usable model yet: %s", error)
