"""What is unpickled from the queue's tables is plain data, and a job one that is allowed.

django-q2 stores jobs and results as pickles, and a pickle is code: reading a result that another role has written to
``django_q_task`` would run it. Source: "Restricting Globals" in the documentation of Python's ``pickle``.
"""

import io
import pickle
from typing import Any

import picklefield.fields
from django_q.signing import BadSignature, PickleSerializer

from events.queue import allowed

# All that jobs, their arguments and results are made of, besides what has a notation of its own in a pickle.
PLAIN = {
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *(("builtins", name) for name in ("bytearray", "complex", "frozenset", "set")),
    *(("decimal", "Decimal"), ("uuid", "UUID"), ("collections", "OrderedDict")),
}


class RefusedJobError(BadSignature):  # type: ignore[misc]  # django-q2 has no type information
    """A job that is not run. django-q2 logs it and deletes the job, as one whose signature is wrong."""


class PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def loads_plain(data: bytes) -> Any:
    """As ``pickle.loads``; raises ``UnpicklingError`` for what is more than data."""
    return PlainUnpickler(io.BytesIO(data)).load()


def loads_job(data: bytes) -> Any:
    """A package of the queue whose signature was right. Raises ``RefusedJobError``."""
    try:
        package = loads_plain(data)
    except Exception as error:
        raise RefusedJobError(f"A job was refused: {error}") from None
    if isinstance(package, dict) and "func" in package and (reason := allowed.refusal(package)):
        raise RefusedJobError(f"A job was refused: {reason}")
    return package


def install() -> None:
    """Have django-q2 read its tables by these. Both of its readers, whatever broker and process."""
    PickleSerializer.loads = staticmethod(loads_job)
    picklefield.fields.loads = loads_plain
