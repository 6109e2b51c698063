"""What staff did by an action, in the admin's own log: pages that add, change and delete are logged by Django."""

from collections.abc import Sequence
from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

from customers.presentation.numbers import format_count

NAMED = 20


def log_action(
    request: HttpRequest, model: type[Model], what: str, number: int, keys: Sequence[int] | None = None
) -> None:
    """One entry for the whole selection, however large: with the first of its keys, or with its number alone."""
    objects = count_objects(model, number)
    more = f" and {number - NAMED:,} more" if number > NAMED else ""
    named = objects if keys is None else ", ".join(map(str, keys[:NAMED])) + more
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        # The log links to the page of a single object; of several it has the text alone.
        object_id=str(keys[0]) if keys and number == 1 else None,
        object_repr=objects[:200],
        action_flag=CHANGE,
        change_message=f"{what}: {named}.",
    )


def count_objects(model: type[Model], number: int) -> str:
    """Such as "1 scoring failure", "3 customers"."""
    return format_count(number, str(model._meta.verbose_name), str(model._meta.verbose_name_plural))
