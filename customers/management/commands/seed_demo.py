"""Fill the database with made-up customers."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.demo_data import generate_named
from customers.import_export.load_errors import LoadError
from customers.import_export.staging import STORED, staged
from customers.management.progress import TerminalProgress
from customers.models import LARGEST_CUSTOMER_ID

# Beside the ids of the public bank-churn table, so that loading that table touches no made-up customer.
FIRST_ID = 16_000_001
MOST = 10_000_000


class Command(BaseCommand):
    help = "Store sample customers. The same number and seed give the same customers: a second run changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--customers", type=int, required=True, metavar="N", help=f"number of customers, at most {MOST}"
        )
        parser.add_argument("--seed", type=int, default=1, help="another seed gives other customers (%(default)s)")
        parser.add_argument("--start-id", type=int, default=FIRST_ID, metavar="ID", help="the first id (%(default)s)")

    def handle(self, *args: Any, customers: int, seed: int, start_id: int, **options: Any) -> None:
        refuse_impossible(customers, seed, start_id)
        rows = generate_named(customers, seed, start_id)
        try:
            with TerminalProgress(sys.stderr) as progress, staged(rows, STORED, progress) as staging:
                counts = staging.store()
        except LoadError as error:
            raise CommandError(str(error)) from None
        if options["verbosity"]:
            self.stdout.write(str(counts))


def refuse_impossible(customers: int, seed: int, start_id: int) -> None:
    if not 1 <= customers <= MOST:
        raise CommandError(f"--customers must be from 1 to {MOST}, not {customers}.")
    if seed < 0:
        raise CommandError(f"--seed must be 0 or more, not {seed}.")
    if not 1 <= start_id <= LARGEST_CUSTOMER_ID - customers:
        raise CommandError(f"--start-id must be from 1 to {LARGEST_CUSTOMER_ID - customers}, not {start_id}.")
