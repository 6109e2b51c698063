"""django-q2's own command, for an address at which it can work."""

from contextlib import suppress
from typing import Any

import psycopg
from django.core.management.base import CommandError
from django.db import Error
from django_q.management.commands.qcluster import Command as QclusterCommand

from events.pooler import PoolerError, refuse_pooler


class Command(QclusterCommand):  # type: ignore[misc]  # django-q2 has no type information
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with suppress(psycopg.Error, Error):  # without PostgreSQL it says so itself
                refuse_pooler()
        except PoolerError as error:
            raise CommandError(str(error)) from error
        super().handle(*args, **options)
