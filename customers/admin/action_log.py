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
    # The log links to the page of a single object; of several it only tells.
    _enter(request, model, len(keys), f"{what}: {listed(keys)}.", object_id=str(keys[0]) if len(keys) == 1 else None)


def log_number(request: HttpRequest, model: type[Model], what: str, number: int) -> None:
    """The same for a selection of which only the number is known."""
    _enter(request, model, number, f"{what}: {in_words(model, number)}.")


def _enter(
    request: HttpRequest, model: type[Model], number: int, message: str, *, object_id: str | None = None
) -> None:
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_id=object_id,
        object_repr=in_words(model, number)[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def in_words(model: type[Model], number: int) -> str:
    """Such as "1 scoring failure", "3 customers"."""
    return f"{number:,} {model._meta.verbose_name if number == 1 else model._meta.verbose_name_plural}"


def listed(keys: Sequence[int]) -> str:
    """The first keys, and how many more there were."""
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + more
