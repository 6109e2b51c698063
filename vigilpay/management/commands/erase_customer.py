"""Erase one customer for good."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import positive
from customers.management.questions import ask
from customers.models import Customer
from vigilpay.personal_data.erasure import NotErasedError, erase
from vigilpay.personal_data.uploads import by_external_id
from vigilpay.trail.writing import command_actor


class Command(BaseCommand):
    help = "Erase a customer from all tables: values, scores, alerts, uploads, logs. This cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer_id", type=positive, metavar="ID")
        parser.add_argument(
            "--external-id",
            type=str.strip,
            default="",
            metavar="TEXT",
            help="of a customer who has left the table: to find the customer in uploads that name it alone",
        )
        parser.add_argument("--yes", action="store_true", help="erase without a question")

    def handle(self, *args: Any, customer_id: int, external_id: str, yes: bool, **options: Any) -> None:
        if not yes and ask(f"Type {customer_id} to erase this customer permanently: ") != str(customer_id):
            raise CommandError("Nothing was erased: the id was not typed. Without a terminal, use --yes.")
        is_known = external_id or Customer.objects.filter(pk=customer_id, external_id__gt="").exists()
        try:
            erased = erase(customer_id, command_actor("erase_customer"), external_id)
        except NotErasedError as error:
            raise CommandError(str(error)) from error
        self.report(customer_id, erased)
        if not is_known and (names := by_external_id()):
            self.stdout.write(
                "No external ID of this customer is known, and these uploads name customers by theirs: "
                f"{', '.join(names)}. If the customer has one, run this again with --external-id TEXT."
            )

    def report(self, customer_id: int, erased: dict[str, int]) -> None:
        if not erased:
            self.stdout.write(f"Nothing is stored about customer {customer_id}.")
            return
        rows = ", ".join(f"{number:,} {kind}" for kind, number in erased.items())
        self.stdout.write(f"Customer {customer_id} erased: {rows}.")
        self.stdout.write("Clear backups, exported or sent files, and logs outside the database yourself.")
