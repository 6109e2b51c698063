"""Plain factories of CSV text in the public bank-churn layout. All of it is made up."""

import csv
import io
from pathlib import Path

A_CUSTOMER = {
    "RowNumber": "1",
    "CustomerId": "1001",
    "Surname": "Maronard",
    "CreditScore": "619",
    "Geography": "France",
    "Gender": "Female",
    "Age": "42",
    "Tenure": "2",
    "Balance": "119700.25",
    "NumOfProducts": "1",
    "HasCrCard": "1",
    "IsActiveMember": "0",
    "EstimatedSalary": "101348.88",
    "Exited": "1",
}
HEADER = list(A_CUSTOMER)


def row(customer_id: int = 1001, **cells: str) -> list[str]:
    """The cells of one row."""
    return list((A_CUSTOMER | {"CustomerId": str(customer_id)} | cells).values())


def rows(number: int, first: int = 1, **cells: str) -> list[list[str]]:
    return [row(customer_id, **cells) for customer_id in range(first, first + number)]


def without(column: str, table: list[list[str]]) -> list[list[str]]:
    """The table, header included, without one of its columns."""
    position = table[0].index(column)
    return [cells[:position] + cells[position + 1 :] for cells in table]


def renamed(table: list[list[str]], **names: str) -> list[list[str]]:
    """The table with columns spelled otherwise."""
    return [[names.get(name, name) for name in table[0]], *table[1:]]


def text_of(table: list[list[str]], delimiter: str = ",", line_end: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=line_end).writerows(table)
    return text.getvalue()


def write(path: Path, *body: list[str], header: list[str] = HEADER) -> Path:
    """A CSV file of these rows below the public header."""
    return write_text(path, text_of([header, *body]))


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path
