"""A token for a program."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from customers.management.progress import positive
from customers.presentation.durations import format_time
from vigilpay.access import tokens
from vigilpay.models import Scope

MOST_DAYS = 3650


class Command(BaseCommand):
    help = (
        "Create a service token for a program and print its secret. It is shown only once: only its digest is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the program that uses it")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=Scope.values,
            help="what the program may do; may be repeated",
        )
        parser.add_argument(
            "--days",
            type=positive,
            default=tokens.DEFAULT_DAYS,
            metavar="N",
            help="number of days it is valid (%(default)s)",
        )

    def handle(self, *args: Any, name: str, scope: list[str], days: int, **options: Any) -> None:
        if days > MOST_DAYS:
            raise CommandError(f"A token is valid for {MOST_DAYS} days at most.")
        expires_at = timezone.now() + timedelta(days=days)
        scopes = [value for value in Scope.values if value in scope]
        token, secret = tokens.make(name, scopes, expires_at=expires_at, created_by="create_token")
        self.stderr.write(f"Token {token.pk} of {name}, valid until {format_time(expires_at)}. It is not shown again:")
        self.stdout.write(secret)
