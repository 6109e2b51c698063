"""Is there a model that may be used, and do the settings make sense together?"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import DatabaseError

from customers.ml_service import ModelError, current_forest
from customers.models import ModelFile, ModelRelease
from customers.models.bounds import differing_bounds
from customers.outreach import control
from customers.releases.active import in_place


@register()
def model_is_usable(**kwargs: Any) -> list[CheckMessage]:
    """A warning, not an error: without a model edits must go on, and rows simply stay stale.

    In production the database holds the model, and which file may be opened is a question to it.
    """
    if not settings.ACCEPT_UNRELEASED_MODEL:
        return []
    try:
        current_forest()
    except ModelError as error:
        hint = "Until this is corrected, no customer is scored, unless the database holds the active model."
        return [Warning(str(error), hint=hint, id="customers.W001")]
    return []


@register(Tags.database)
def active_model_is_stored(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """In production: in the database, from where every host loads it."""
    if settings.ACCEPT_UNRELEASED_MODEL:
        return []
    return [message for alias in databases or () for message in about_active_model(alias)]


def about_active_model(alias: str) -> list[CheckMessage]:
    try:
        release = ModelRelease.objects.using(alias).active()
        is_stored = release is None or ModelFile.objects.using(alias).filter(pk=release.fingerprint).exists()
    except DatabaseError:
        return []  # no tables yet
    if release is None or is_stored:
        return []
    forest, instead = in_place(release)
    if forest is None:
        return [
            Warning(
                f"{release} is active, the database does not hold its model, and it cannot score here: {instead}.",
                hint="Find its model.pkl and run: manage.py release_model PATH",
                id="customers.W002",
            )
        ]
    return [
        Warning(
            f"The model of {release} is on this machine alone, and not in the database.",
            hint="A worker stores it when it starts on this machine: manage.py run_worker",
            id="customers.W003",
        )
    ]


@register(Tags.database)
def control_group_is_the_one_that_was_fixed(
    databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """The share of the control group never changes: what was measured with it would be lost."""
    fixed = ((alias, control.differing_share(alias)) for alias in databases or ())
    return [
        Warning(
            f"VIGILPAY_CONTROL_SHARE is {settings.CONTROL_SHARE:g}, but the control group was fixed at {share:g} and "
            "does not change.",
            hint=f"Set VIGILPAY_CONTROL_SHARE={share:g}.",
            id="customers.W004",
        )
        for _alias, share in fixed
        if share is not None
    ]


@register(Tags.database)
def table_has_the_bounds_of_the_settings(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Else forms and imports take what the table refuses, or refuse what it holds."""
    return [
        Warning(
            f"The table of customers does not have the bounds of {field} that VIGILPAY_BOUNDS sets.",
            hint="Run: manage.py migrate",
            id="customers.W005",
        )
        for alias in databases or ()
        for field in differing_bounds(alias)
    ]


@register()
def protected_fields_have_their_own_setting(**kwargs: Any) -> list[CheckMessage]:
    """The former setting is read in this version for the last time."""
    if not settings.REASONS_NAME_PROTECTED:
        return []
    return [
        Warning(
            "VIGILPAY_REASONS_NAME_PROTECTED is deprecated: VIGILPAY_PROTECTED_FIELDS replaces it.",
            hint="Set VIGILPAY_PROTECTED_FIELDS=none for the same effect, and remove the former variable.",
            id="customers.W006",
        )
    ]


@register()
def drift_warns_before_it_alarms(**kwargs: Any) -> list[CheckMessage]:
    """Or every shift would be a major one, and none below it would be reported."""
    if settings.DRIFT_WARNING <= settings.DRIFT_ALARM:
        return []
    return [
        Error(
            f"VIGILPAY_DRIFT_WARNING ({settings.DRIFT_WARNING:g}) is above VIGILPAY_DRIFT_ALARM "
            f"({settings.DRIFT_ALARM:g}).",
            hint="Usual values are 0.1 and 0.25.",
            id="customers.E001",
        )
    ]
