"""Erase one customer for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import positive
from customers.management.questions import ask
from vigilpay.personal_data.erasure import NotErasedError, erase
from vigilpay.trail.writing import command_actor


class Command(BaseCommand):
    help = "Erase a customer from all tables: values, scores, alerts, uploads, logs. This cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer_id", type=positive, metavar="ID")
        parser.add_argument("--yes", action="store_true", help="erase without a question")

    def handle(self, *args: Any, customer_id: int, yes: bool, **options: Any) -> None:
        if not yes and ask(f"Type {customer_id} to erase this customer permanently: ") != str(customer_id):
            raise CommandError("Nothing was erased: the id was not typed. Without a terminal, use --yes.")
        try:
            erased = erase(customer_id, command_actor("erase_customer"))
        except NotErasedError as error:
            raise CommandError(str(error)) from error
        if not erased:
            self.stdout.write(f"Nothing is stored about customer {customer_id}.")
            return
        rows = ", ".join(f"{number:,} {kind}" for kind, number in erased.items())
        self.stdout.write(f"Customer {customer_id} erased: {rows}.")
        self.stdout.write("Clear backups, exported or sent files, and logs outside the database yourself.")
