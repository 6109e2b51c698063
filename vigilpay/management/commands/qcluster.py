"""django-q2's own command, on a database that answers, at an address at which it can work."""

from typing import Any

from django.core.management.base import CommandError
from django.db import connection
from django_q.management.commands.qcluster import Command as QclusterCommand

from events.worker.pooler import PoolerError, refuse_pooler


class Command(QclusterCommand):  # type: ignore[misc]  # django-q2 has no type information
    def handle(self, *args: Any, **options: Any) -> None:
        connection.ensure_connection()  # else each of its processes would report by itself that there is none
        connection.close()  # and not be shared by them
        try:
            refuse_pooler()
        except PoolerError as error:
            raise CommandError(str(error)) from error
        super().handle(*args, **options)
