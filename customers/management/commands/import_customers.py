"""Load customers from a CSV file."""

from customers.import_export.customers import import_file
from customers.management.csv_command import EXIT_CODES, CsvCommand


class Command(CsvCommand):
    help = f"Load customers from a CSV file in the public bank-churn layout or a variant (docs/import.md). {EXIT_CODES}"
    load_file = staticmethod(import_file)
