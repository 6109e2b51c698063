"""What staff did by an action, in the admin's own log: pages that add, change and delete are logged by Django."""

from collections.abc import Sequence
from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

NAMED = 20


def log_action(request: HttpRequest, model: type[Model], what: str, keys: Sequence[int]) -> None:
    """One entry for the whole selection, however large: in words, with the first of its keys."""
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        # The log links to the page of a single object; of several it only tells.
        object_id=str(keys[0]) if len(keys) == 1 else None,
        object_repr=in_words(model, keys)[:200],
        action_flag=CHANGE,
        change_message=f"{what}: {listed(keys)}.",
    )


def in_words(model: type[Model], keys: Sequence[int]) -> str:
    """Such as "1 scoring failure", "3 customers"."""
    name = model._meta.verbose_name if len(keys) == 1 else model._meta.verbose_name_plural
    return f"{len(keys):,} {name}"


def listed(keys: Sequence[int]) -> str:
    """The first keys, and how many more there were."""
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + more
