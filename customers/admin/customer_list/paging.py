"""How many customers a list has, and how far it is paged, at a cost that does not grow with the portfolio."""

from functools import partial
from typing import Any, cast

from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet
from django.utils.formats import number_format
from django.utils.functional import cached_property

from customers.admin.customer_list.objectors import is_narrowed

# Up to here customers are counted and paged. To see customers further down, staff search, filter, or turn the order
# round; an action on "all" takes all that match, however many are counted here.
MOST_ROWS = 10_000
# The same of a filtered list: whether a row matches may stand in the table alone, and to look there for 10,000 rows
# takes more than a page may.
MOST_MATCHES = 5_000

# PostgreSQL's own estimate, as its planner makes it: rows per page when it last looked, for the pages there are now.
ESTIMATE = """
SELECT reltuples / greatest(relpages, 1) * (pg_relation_size(oid) / current_setting('block_size')::integer)
FROM pg_class WHERE oid = %s::regclass
"""

format_grouped = partial(number_format, use_l10n=True, force_grouping=True)


class Counted(int):
    """A number of rows that is written as exactly as it is known: 42, 5,000+, ~1,000,000."""

    words: str

    def __new__(cls, number: int, words: str) -> "Counted":
        counted = super().__new__(cls, number)
        counted.words = words
        return counted

    def __str__(self) -> str:
        return self.words


class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """Pages of the first ``most`` rows. Past the last page it gives the last page."""

    @cached_property
    def most(self) -> int:
        """How many rows are counted and paged."""
        return MOST_MATCHES if is_narrowed(cast("QuerySet[Any]", self.object_list)) else MOST_ROWS

    @cached_property
    def count(self) -> Counted:
        """Exact as long as that is cheap; then "so many and more" of what was filtered, and an estimate of all rows."""
        rows = cast("QuerySet[Any]", self.object_list)
        found = rows.order_by().values("pk")[: self.most + 1].count()
        if found <= self.most:
            return Counted(found, format_grouped(found))
        if is_narrowed(rows):
            return Counted(found, f"{format_grouped(self.most)}+")
        about = max(found, rounded(estimate(rows)))
        return Counted(about, f"~{format_grouped(about)}")

    @cached_property
    def num_pages(self) -> int:
        return -(-min(self.count, self.most) // self.per_page) or 1

    @property
    def is_cut(self) -> bool:
        """Whether there are rows behind the last page."""
        return self.count > self.most

    def validate_number(self, number: Any) -> int:
        return super().validate_number(min(int(number), self.num_pages))


def estimate(rows: QuerySet[Any]) -> int:
    """How many rows the table has, within some percent; 0 where PostgreSQL has not looked yet."""
    with connections[rows.db].cursor() as cursor:
        cursor.execute(ESTIMATE, [rows.model._meta.db_table])
        return max(0, int(cursor.fetchone()[0]))


def rounded(number: int) -> int:
    """To three digits that count: an estimate knows no more."""
    unit = int(10 ** max(0, len(str(number)) - 3))
    return round(number / unit) * unit
