"""Which field a column of the bank's own naming holds: ``Kontostand=balance``, said once or kept under a name."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from customers.import_export.csv_files.columns import CUSTOMERS, Columns
from customers.import_export.csv_files.refused import RefusedError
from customers.ml_service.names import plain, plain_names, spellings
from customers.ml_service.schema import LABEL
from customers.models import ColumnMapping

# All kinds of files share a mapping: of each kind only the columns count that it reads.
MAPPED = {**CUSTOMERS.names, LABEL: spellings(LABEL), "date": ("date",)}
FIELD_OF = plain_names(MAPPED)


def parse(entries: Iterable[str]) -> dict[str, str]:
    """The field of each column, from entries such as ``Kontostand=balance``. RefusedError says which is wrong."""
    mapping: dict[str, str] = {}
    for entry in filter(str.strip, entries):
        column, equals, field = map(str.strip, entry.rpartition("="))
        if not equals or not plain(column) or not field:
            raise RefusedError(
                f"{entry.strip()} is not a valid mapping. Write column name=field, for example Kontostand=balance."
            )
        if plain(column) in map(plain, mapping):
            raise RefusedError(f"The column {column} is mapped twice. Keep one.")
        mapping[column] = known_field(field)
    refuse_repeated_fields(mapping)
    return mapping


def known_field(name: str) -> str:
    field = FIELD_OF.get(plain(name))
    if field is None:
        close = get_close_matches(plain(name), FIELD_OF, n=1)
        hint = f" Did you mean {FIELD_OF[close[0]]}?" if close else ""
        raise RefusedError(f"{name} is not a known field.{hint} Valid fields: {', '.join(MAPPED)}.")
    return field


def refuse_repeated_fields(mapping: Mapping[str, str]) -> None:
    columns_of: dict[str, str] = {}
    for column, field in mapping.items():
        if field in columns_of:
            raise RefusedError(f"The columns {columns_of[field]} and {column} are both mapped to {field}. Keep one.")
        columns_of[field] = column


def combined(kept: Mapping[str, str], entries: Mapping[str, str]) -> dict[str, str]:
    """A kept mapping, in which these entries count more: for their columns and for their fields."""
    columns = set(map(plain, entries))
    rest = {
        column: field
        for column, field in kept.items()
        if plain(column) not in columns and field not in entries.values()
    }
    return {**rest, **entries}


def lines_of(mapping: Mapping[str, str]) -> str:
    """As staff write it, a line for each column."""
    return "\n".join(f"{column}={field}" for column, field in mapping.items())


def kept_mapping(name: str) -> dict[str, str]:
    """The mapping of this name. RefusedError names those that there are."""
    kept = ColumnMapping.objects.filter(name=name).first()
    if kept is None:
        names = ", ".join(ColumnMapping.objects.values_list("name", flat=True))
        saved = f"Saved mappings: {names}." if names else "No mapping has been saved."
        raise RefusedError(f"There is no mapping {name}. {saved}")
    return parse(kept.columns.splitlines())


def keep_mapping(name: str, mapping: Mapping[str, str]) -> None:
    """Keep it under this name, in the place of a former one."""
    ColumnMapping.objects.update_or_create(name=name, defaults={"columns": lines_of(mapping)})


def with_mapping(columns: Columns, mapping: Mapping[str, str]) -> Columns:
    """The columns of a kind of file under the names that the mapping gives to those that it reads."""
    fields = {column: columns.field_of.get(plain(field)) for column, field in mapping.items()}
    return replace(columns, mapped={column: field for column, field in fields.items() if field})
