"""Load customers from a CSV file."""

from pathlib import Path
from typing import Any

from customers.import_export.customers import Report, import_file
from customers.management.csv_command import EXIT_CODES, CsvCommand


class Command(CsvCommand):
    help = f"Load customers from a CSV file in the public bank-churn layout or a variant (docs/import.md). {EXIT_CODES}"

    def load(self, file: Path, **how: Any) -> Report:
        return import_file(file, **how)
