"""Words that the bank's files write otherwise than they are stored."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from customers.import_export.aliases import AliasError, checked
from customers.import_export.conventions import words_of_active_release
from customers.import_export.csv_files.cells import folded
from customers.management.columns import in_columns
from customers.models import CategoryAlias

FIELDS = {label.lower(): value for value, label in CategoryAlias.Field.choices}


class Command(BaseCommand):
    help = (
        "List, add and remove aliases: words for country and gender that are stored as other words by imports and "
        "training. Customers stored already do not change."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--field", choices=list(FIELDS), default="country", help="what is added or removed")
        parser.add_argument(
            "--add", action="append", default=[], metavar="WRITTEN=STORED", help="such as Deutschland=Germany"
        )
        parser.add_argument("--remove", action="append", default=[], metavar="WRITTEN", help="such as Deutschland")

    def handle(self, *args: Any, add: list[str], remove: list[str], **options: Any) -> None:
        field = FIELDS[options["field"]]
        try:
            with transaction.atomic():
                for word in remove:
                    self.remove(field, word)
                for alias in add:
                    self.add(field, alias)
        except AliasError as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        if not add and not remove:
            self.list_aliases()

    def add(self, field: str, alias: str) -> None:
        written, equals, meant = alias.rpartition("=")
        if not equals:
            raise AliasError(f"{alias} is no alias. Write WRITTEN=STORED, such as Deutschland=Germany.")
        written, meant = checked(field, written, meant)
        CategoryAlias.objects.create(field=field, written=written, meant=meant)
        self.stdout.write(f"{written} is stored as {meant} from the next import on.")
        known = words_of_active_release().get(field, ())
        if known and meant not in known:
            self.stderr.write(
                f"The active model does not know {meant}; it knows {', '.join(known)}.", self.style.WARNING
            )

    def remove(self, field: str, word: str) -> None:
        for alias in CategoryAlias.objects.filter(field=field):
            if folded(alias.written) == folded(word):
                alias.delete()
                self.stdout.write(f"{alias.written} is stored as it is from the next import on.")
                return
        raise AliasError(f"There is no alias {word}.")

    def list_aliases(self) -> None:
        rows = [(alias.get_field_display(), alias.written, alias.meant) for alias in CategoryAlias.objects.all()]
        self.stdout.write(in_columns(("field", "in files", "stored as"), rows) if rows else "No aliases.")
