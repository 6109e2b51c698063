"""Probes: whether this process answers, and whether it can do its work. Open to all, so they say nothing else.

No personal data, no versions, no host names, no paths: what is wrong in detail stands in the log and in ``check``.
"""

import logging
from functools import cache

from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse

from customers.api.responses import reads_only
from customers.conditions import Condition
from customers.ml_service import ModelError
from customers.releases.active import refuse_unusable

log = logging.getLogger("vigilpay.access")

lacking = Condition(log)

# Any file that every page of the admin loads.
A_STATIC_FILE = "admin/css/base.css"

FINE = "ok"
UNKNOWN = "not known"
OLD_TABLES = "older than this code: run manage.py migrate"


@reads_only
def live(request: HttpRequest) -> JsonResponse:
    """This process answers. Asks neither the database nor the model."""
    return JsonResponse({"live": True})


@reads_only
def ready(request: HttpRequest) -> JsonResponse:
    """Whether pages and scores can be had from this process; 503 names the parts that lack."""
    parts = state_of_database() | {"static_files": state_of_static_files()}
    missing = [name.replace("_", " ") for name, state in parts.items() if state != FINE]
    if not missing:
        lacking.end("This process is ready again.")
        return JsonResponse({"ready": True, "parts": parts})
    error = f"Not ready: {', '.join(missing)}."
    lacking.begin("%s", error)
    answer = JsonResponse({"error": error, "parts": parts}, status=503)
    answer._has_been_logged = True  # type: ignore[attr-defined]  # Django's note: probes come every few seconds
    return answer


def state_of_database() -> dict[str, str]:
    """Of what is asked there; the model only where its tables are."""
    parts = {"database": FINE, "migrations": UNKNOWN, "model": UNKNOWN}
    try:
        parts["migrations"] = state_of_migrations()
        if parts["migrations"] == FINE:
            parts["model"] = state_of_model()
    except (DatabaseError, InterfaceError):
        parts["database"] = "does not answer"
    return parts


def state_of_migrations() -> str:
    """Tables that are newer than this code are fine: an upgrade runs old and new code side by side."""
    applied = MigrationRecorder(connection).applied_migrations()
    return FINE if newest_migrations() <= applied.keys() else OLD_TABLES


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """The last ones of each application, read from the code once."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def state_of_model() -> str:
    """Whether this process can score with the active model. Activates nothing."""
    try:
        refuse_unusable()
    except ModelError:
        return "the active model can't be loaded: run manage.py check --database default"
    return FINE


def state_of_static_files() -> str:
    if not isinstance(staticfiles_storage, ManifestFilesMixin) or A_STATIC_FILE in staticfiles_storage.hashed_files:
        return FINE
    return "not collected: run manage.py collectstatic"
