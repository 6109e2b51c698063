"""Is there a model that may be used, and do the settings make sense together?"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004  Django's own name
from django.db import DatabaseError

from customers.ml_service import ModelError, current_forest
from customers.ml_service.files import former
from customers.ml_service.files.assets import MODEL_FILE
from customers.ml_service.files.registry import refuse_undescribed
from customers.models import ModelRelease
from customers.outreach import control
from customers.releases.active import in_place


@register()
def model_is_usable(**kwargs: Any) -> list[CheckMessage]:
    """A warning, not an error: without a model edits must go on, and rows simply stay stale.

    In production only the files are looked at: which of them may be opened is a question to the database.
    """
    try:
        if settings.ACCEPT_UNRELEASED_MODEL:
            current_forest()
        else:
            refuse_undescribed()
    except ModelError as error:
        kept = "" if settings.ACCEPT_UNRELEASED_MODEL else ", unless the active model's files are kept on this machine"
        return [Warning(str(error), hint=f"Until this is corrected, no customer is scored{kept}.", id="customers.W001")]
    return []


@register(Tags.database)
def active_model_outlives_an_upgrade(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """In production: its files are on this machine, and kept where no upgrade of the code overwrites them."""
    if settings.ACCEPT_UNRELEASED_MODEL:
        return []
    return [message for alias in databases or () for message in about_active_model(alias)]


def about_active_model(alias: str) -> list[CheckMessage]:
    try:
        release = ModelRelease.objects.using(alias).active()
    except DatabaseError:
        return []  # no tables yet
    if release is None or former.is_kept(settings.ML_ASSETS_DIR, release.fingerprint):
        return []
    forest, instead = in_place(release)
    if forest is None:
        return [
            Warning(
                f"{release} is active, but cannot score here: {instead}.",
                hint="Put its model.pkl and model.json on this machine with: manage.py release_model PATH",
                id="customers.W002",
            )
        ]
    return [
        Warning(
            f"The files of {release} have no copy: an upgrade that replaces them stops scoring.",
            hint=f"With write access there, run: manage.py release_model {settings.ML_ASSETS_DIR / MODEL_FILE}",
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
