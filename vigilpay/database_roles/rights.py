"""The rights of each role on each table: one line for every model, without which the command and a test stop.

Three roles beside the owner, who migrates: the web pages, the worker, and the bank's application. The worker alone
appends to the history of scores, by which the triggers know it (events/triggers/rights.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db import models

from customers.models import Customer
from customers.models.customer import of_the_bank

WEB, WORKER, APPLICATION = "web", "worker", "application"
ROLES = (WEB, WORKER, APPLICATION)

ALL_COLUMNS = "*"

# A right in brackets is one on that column only; on those of the bank's where the others are the engine's.
EDITS = "SELECT INSERT(bank) UPDATE(bank) DELETE"
APPENDS = "SELECT INSERT"
WRITES = "SELECT INSERT UPDATE"
CHANGES = "SELECT UPDATE"
EVERYTHING = "SELECT INSERT UPDATE DELETE"
KEEPS = "SELECT INSERT DELETE"

# By model: what web pages may, and what the worker may. PostgreSQL asks for UPDATE where rows are locked, too.
RIGHTS: dict[str, tuple[str, str]] = {
    "customers.Customer": (EDITS, "SELECT INSERT(bank) UPDATE"),
    "customers.ModelRelease": ("SELECT", "SELECT INSERT UPDATE(arrays_sha256)"),
    "customers.ModelFile": ("SELECT", KEEPS),
    # Pages decide on proposals; a worker puts the model into service that was approved.
    "customers.ModelProposal": (
        "SELECT UPDATE(state) UPDATE(decided_by) UPDATE(decided_at) UPDATE(reason)",
        "SELECT INSERT UPDATE(release_id)",
    ),
    "customers.ScoreRecord": ("SELECT", KEEPS),
    "customers.UnscoredVersion": ("SELECT", "SELECT DELETE"),
    "customers.Departure": ("SELECT", "SELECT DELETE"),
    "customers.HistoryExtent": ("SELECT", WRITES),
    "customers.StaleMark": ("SELECT", EVERYTHING),
    "customers.RescoreRequest": (APPENDS, EVERYTHING),
    "customers.ScoringFailure": (WRITES, EVERYTHING),
    "customers.AuditFinding": ("SELECT", WRITES),
    "customers.DriftCheck": ("SELECT", KEEPS),
    "customers.Outcome": ("SELECT", WRITES),
    "customers.OutcomesComplete": ("SELECT", APPENDS),
    # The feed of changed scores: triggers write it with the owner's rights.
    "customers.ScoreChange": ("SELECT", "SELECT DELETE"),
    "customers.FeedEpoch": (WRITES, CHANGES),
    "customers.Contact": (APPENDS, "SELECT DELETE"),
    "customers.WorklistItem": (WRITES, "SELECT DELETE"),
    "customers.ControlGroup": (APPENDS, APPENDS),
    "customers.RecentMove": ("SELECT", EVERYTHING),
    "customers.MoveSearch": ("SELECT", WRITES),
    "customers.PortfolioSnapshot": ("SELECT", KEEPS),
    "customers.ImportBatch": (WRITES, CHANGES),
    "customers.ImportPiece": (KEEPS, KEEPS),
    "events.Alert": (CHANGES, KEEPS),
    "events.AlertRule": (WRITES, "SELECT"),
    "events.Delivery": (CHANGES, EVERYTHING),
    "events.Digest": (CHANGES, EVERYTHING),
    "events.Drain": ("SELECT", KEEPS),
    "events.Messenger": (WRITES, WRITES),
    "events.Overview": (WRITES, WRITES),
    "events.Pause": (KEEPS, KEEPS),
    "events.Turn": (WRITES, WRITES),
    "events.Watch": (WRITES, WRITES),
    "events.Worker": ("SELECT", EVERYTHING),
    "django_q.OrmQ": (APPENDS, EVERYTHING),
    "django_q.Schedule": ("SELECT", "SELECT UPDATE DELETE"),
    "django_q.Task": ("SELECT", EVERYTHING),
    # Accounts and what they did are none of the worker's business, which only deletes what has ended. With an account
    # goes its log.
    "axes.AccessAttempt": (EVERYTHING, "SELECT DELETE"),
    "axes.AccessAttemptExpiration": (EVERYTHING, "SELECT DELETE"),
    "axes.AccessFailureLog": (EVERYTHING, ""),
    "axes.AccessLog": (EVERYTHING, ""),
    "vigilpay.ServiceToken": (EVERYTHING, "SELECT DELETE"),
    "vigilpay.TrailEntry": (APPENDS, "SELECT DELETE"),
    "admin.LogEntry": (KEEPS, ""),
    "auth.Group": (EVERYTHING, ""),
    "auth.Group_permissions": (KEEPS, ""),
    "auth.Permission": ("SELECT", ""),
    "auth.User": (EVERYTHING, ""),
    "auth.User_groups": (KEEPS, ""),
    "auth.User_user_permissions": (KEEPS, ""),
    "contenttypes.ContentType": ("SELECT", ""),
    "sessions.Session": (EVERYTHING, "SELECT(expire_date) DELETE"),
}
# A full reload may begin with it. A bank that wants that grants it.
TOLERATED_OF_APPLICATION = ("customers_customer", "TRUNCATE")

# Django's own, for which there is no model.
MIGRATIONS = "django_migrations"
# Written with the lease; see events/queue/lease.py.
SEQUENCE = "events_awake"
LEASE_HOLDERS = (WEB, WORKER)


class NoRightsError(Exception):
    """A table is in no list of rights. The message names its model."""


@dataclass(frozen=True, order=True)
class Right:
    """What a role, named by what it does, may do with a table, or with one of its columns."""

    role: str
    table: str
    privilege: str
    column: str = ALL_COLUMNS


def our_models() -> list[type[models.Model]]:
    """One for each table, those between two models included."""
    found = {model._meta.db_table: model for model in reversed(apps.get_models(include_auto_created=True))}
    return [found[table] for table in sorted(found)]


def our_tables() -> list[str]:
    return sorted([MIGRATIONS, *(model._meta.db_table for model in our_models())])


def without_rights() -> list[str]:
    """Models without a line in the table."""
    return [label for model in our_models() if (label := label_of(model)) not in RIGHTS]


def label_of(model: type[models.Model]) -> str:
    return str((model._meta.concrete_model or model)._meta.label)


def expected() -> set[Right]:
    """All rights that the roles are to have. Raises ``NoRightsError`` where a model has no line."""
    if forgotten := without_rights():
        raise NoRightsError(f"No rights are noted for {', '.join(forgotten)}: vigilpay/database_roles/rights.py.")
    of_models = {right for model in our_models() for right in rights_on(model)}
    return of_models | {Right(role, MIGRATIONS, "SELECT") for role in (WEB, WORKER)}


def rights_on(model: type[models.Model]) -> Iterator[Right]:
    web, worker = RIGHTS[label_of(model)]
    application = EDITS if model is Customer else ""
    for role, privileges in ((WEB, web), (WORKER, worker), (APPLICATION, application)):
        for privilege in privileges.split():
            name, _, bracket = privilege.rstrip(")").partition("(")
            for column in bank_columns(name) if bracket == "bank" else [bracket or ALL_COLUMNS]:
                yield Right(role, model._meta.db_table, name, column)


def bank_columns(privilege: str) -> list[str]:
    """Of a customer. The id comes with the row and stays."""
    fields = of_the_bank(Customer._meta.local_concrete_fields)
    return [str(field.column) for field in fields if privilege == "INSERT" or not field.primary_key]
