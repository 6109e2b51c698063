"""Who owns which customers in a storm."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from customers.ml_service.schema import FEATURES
from tests.factories import random_fields

RANGE = 1_000_000  # an editor's own ids begin at a multiple of it, those of all at 1
CONTESTED_FROM = 500_001
SCATTERED = 2_500


@dataclass(frozen=True)
class Portfolio:
    """Customers of one editor alone; those that all edit; and those that all edit, delete and insert."""

    own: dict[int, list[int]]
    shared: list[int]
    contested: list[int]

    @classmethod
    def of(cls, customers: int, editors: int) -> "Portfolio":
        of_all, each = customers // 5, customers * 3 // 5 // editors
        return cls(
            own={number: [RANGE * (number + 1) + i for i in range(each)] for number in range(editors)},
            shared=list(range(1, of_all + 1)),
            contested=list(range(CONTESTED_FROM, CONTESTED_FROM + of_all)),
        )

    def all_ids(self) -> list[int]:
        return sorted([*self.shared, *self.contested, *(customer for own in self.own.values() for customer in own)])


def unused_ids(number: int) -> Iterator[int]:
    """Ids of an editor's own range that no customer has had."""
    return count(RANGE * (number + 1) + RANGE // 2)


def scattered_ids(number: int) -> list[int]:
    """As many ids of an editor's own range, far from each other, as no single note of them could hold."""
    first = RANGE * (number + 1) + RANGE * 6 // 10
    return list(range(first, first + SCATTERED * 97, 97))


def full_row(customer: int, fields: dict[str, Any]) -> tuple[Any, ...]:
    """A row in the order of ``customers.import_export.staging.STORED``."""
    return (customer, "In a storm", *(fields[name] for name in FEATURES))


def a_change(pick: random.Random) -> dict[str, Any]:
    """New values for one to three fields, now and then the old ones."""
    values = random_fields(pick)
    return {name: values[name] for name in pick.sample(FEATURES, pick.randint(1, 3))}
