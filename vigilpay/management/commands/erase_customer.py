"""Erase one customer for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import positive
from customers.management.questions import ask
from vigilpay.personal_data.erasure import NotErasedError, erase
from vigilpay.trail.writing import command_actor


class Command(BaseCommand):
    help = "Erase a customer from all tables: values, scores, alerts, uploads, logs. It can't be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer_id", type=positive, metavar="ID")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, customer_id: int, yes: bool, **options: Any) -> None:
        if not yes and ask(f"Type {customer_id} to erase that customer for good: ") != str(customer_id):
            raise CommandError("Nothing was erased: the id was not typed. Without a terminal, --yes answers.")
        try:
            erased = erase(customer_id, command_actor("erase_customer"))
        except NotErasedError as error:
            raise CommandError(str(error)) from error
        if not erased:
            self.stdout.write(f"Nothing is kept about customer {customer_id}.")
            return
        rows = ", ".join(f"{number:,} {kind}" for kind, number in erased.items())
        self.stdout.write(f"Erased customer {customer_id}: {rows}.")
        self.stdout.write(
            "Back-ups, files that were exported or sent, and logs outside of the database are yours to clear."
        )
