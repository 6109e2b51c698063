"""django-q2's cluster, on a database that answers."""

from typing import Any

from django.db import connection
from django_q.management.commands.qcluster import Command as QclusterCommand


class Command(QclusterCommand):  # type: ignore[misc]  # django-q2 has no types
    def handle(self, *args: Any, **options: Any) -> None:
        connection.ensure_connection()  # else each of its processes would tell by itself that there is none
        connection.close()  # and not be shared by them
        super().handle(*args, **options)
