"""Which role of the bank's staff may do what: one table, given to the groups of these names by every ``migrate``.

Groups only gain by it: whatever an administrator has added to one stays, and a group that was deleted or renamed is
left alone. A user who should do less than a role gets another group.
"""

import logging
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS

log = logging.getLogger("vigilpay.access")

# Sees everything, changes nothing.
VIEWER = frozenset(
    {
        "customers.view_customer",
        "customers.view_scorerecord",
        "customers.view_modelrelease",
        "customers.view_modelproposal",
        "customers.view_scoringfailure",
        "customers.view_auditfinding",
        "customers.view_importbatch",
        "customers.view_columnmapping",
        "customers.view_categoryalias",
        "customers.view_contact",
        "events.view_drain",
        "events.view_pause",
        "events.view_alert",
        "events.view_alertrule",
        "events.view_delivery",
        "events.view_overview",
        "customers.view_portfoliosnapshot",
        "events.view_digest",
        "events.view_systemstatus",
    }
)

# Talks to customers: takes them on, records what came of it, and changes nothing of theirs.
AGENT = VIEWER | {
    "customers.add_contact",
    "customers.work_worklist",
    "events.acknowledge_alert",
}

# Works with customers, on their data and on what their scores set off.
ANALYST = AGENT | {
    "customers.add_customer",
    "customers.change_customer",
    "customers.rescore_customer",
    "customers.export_customer",
    "customers.record_objection",
    *(f"customers.{may}_{what}" for may in ("add", "change", "delete") for what in ("columnmapping", "categoryalias")),
    "customers.add_importbatch",
    "customers.change_importbatch",
    "customers.change_scoringfailure",  # have excluded customers tried again
    "events.add_alertrule",
    "events.change_alertrule",
    "events.delete_alertrule",
}

# Keeps the engine running, and has no business with customers' data.
OPERATOR = VIEWER | {
    "customers.change_scoringfailure",
    "events.add_pause",  # pause scoring
    "events.delete_pause",  # resume it
    "events.change_delivery",  # have a message that did not arrive sent again
    "events.change_digest",  # and a digest
    "vigilpay.view_trailentry",  # see who has read and changed what
}

# The second person behind a model release. Not part of another role: who proposes one must not approve it.
APPROVER = VIEWER | {"customers.approve_modelrelease"}

ROLES = {"viewer": VIEWER, "agent": AGENT, "analyst": ANALYST, "operator": OPERATOR, "approver": APPROVER}


def fill_groups(sender: AppConfig, *, using: str = DEFAULT_DB_ALIAS, apps: Any = installed, **kwargs: Any) -> None:
    """Give each role's group what it lacks. Connected to ``post_migrate``, for permissions exist only then."""
    try:
        apps.get_model("auth", "Group")
    except LookupError:
        return  # migrated so far that there are no groups yet
    for group in Group.objects.using(using).filter(name__in=ROLES):
        fill(group, ROLES[group.name], using=using)


def fill(group: Group, names: frozenset[str], *, using: str = DEFAULT_DB_ALIAS) -> None:
    """Add the permissions of these names; one that does not exist yet comes with the migrate that makes it."""
    wanted = Permission.objects.using(using).filter(
        content_type__app_label__in={name.partition(".")[0] for name in names},
        codename__in={name.partition(".")[2] for name in names},
    )
    lacking = [
        permission
        for permission in wanted.select_related("content_type").exclude(group=group)
        if f"{permission.content_type.app_label}.{permission.codename}" in names
    ]
    if lacking:
        # What an upgrade adds is worth a line; what the first migrate gives is the whole table above.
        level = logging.INFO if group.permissions.exists() else logging.DEBUG
        group.permissions.add(*lacking)
        log.log(level, "Group %s may now: %s", group.name, ", ".join(sorted(found.codename for found in lacking)))
