"""A worker that is about to wait for its first job gets ready for it."""

from contextlib import suppress
from typing import Any

from django.db import Error

from customers.ml_service import ModelError, warm_kernels
from customers.releases import storage
from customers.releases.active import active_model
from events.worker import model_state


def worker_spawned(**kwargs: Any) -> None:
    """Load model and kernels now: half a second that the first edit would otherwise wait for.

    In the worker and not before the fork, so that a worker's successor loads the files of its own day.
    """
    warm_kernels()
    with suppress(Error):  # no database, or no tables in it yet: then the first job loads it
        storage.adopt()
        try:
            active_model()
        except ModelError as error:
            model_state.report_unusable(error)
