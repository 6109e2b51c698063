"""A worker that is about to wait for its first job gets ready for it."""

import logging
from typing import Any

from django.db import Error

from customers.ml_service import ModelError, warm_kernels
from customers.releases import look_who_is_active

log = logging.getLogger("vigilpay.events")


def worker_spawned(**kwargs: Any) -> None:
    """Load model and kernels now: half a second that the first edit would otherwise wait for.

    In the worker and not before the fork, so that a worker's successor loads the file of its own day.
    """
    warm_kernels()
    try:
        look_who_is_active()
    except ModelError as error:
        log.warning("No usable model yet: %s", error)
    except Error as error:
        log.info("Which model is active is asked with the first job: %s", error)
