"""What editors know they did: the states in which each customer that is edited by one of them alone may be now."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from customers.ml_service.schema import FEATURES

State = tuple[Any, ...] | None  # the nine values in FEATURES order; None: there is no such customer
Effect = Callable[[State], State]
Effects = Mapping[int, Effect]


def as_state(fields: Mapping[str, Any]) -> State:
    return tuple(fields[name] for name in FEATURES)


def put(fields: Mapping[str, Any]) -> Effect:
    """The customer has these nine values, whatever was there before."""
    values = as_state(fields)
    return lambda state: values


def change(fields: Mapping[str, Any]) -> Effect:
    """An existing customer has these values; where there is none, there is none."""

    def effect(state: State) -> State:
        return state and tuple(fields.get(name, old) for name, old in zip(FEATURES, state, strict=True))

    return effect


def remove(state: State) -> State:
    return None


class Ledger:
    """One editor's own customers. An edit whose commit was not confirmed leaves several possible states."""

    def __init__(self, states: Mapping[int, State]) -> None:
        self._possible: dict[int, set[State]] = {customer: {state} for customer, state in states.items()}
        self.gaps: set[int] = set()
        self.is_losing = False  # whether what PostgreSQL confirms now may be lost with it

    def __contains__(self, customer: int) -> bool:
        return customer in self._possible

    def open(self, customer: int) -> None:
        """Take an id into account that was not used yet."""
        self._possible.setdefault(customer, {None})

    def committed(self, effects: Effects) -> None:
        if self.is_losing:
            return self.unconfirmed(effects)
        for customer, effect in self._own(effects):
            self._possible[customer] = self._after(customer, effect)

    def unconfirmed(self, effects: Effects) -> None:
        """The connection was lost, or something failed: it may have happened, or not."""
        for customer, effect in self._own(effects):
            self._possible[customer] |= self._after(customer, effect)

    def _own(self, effects: Effects) -> Iterable[tuple[int, Effect]]:
        return [(customer, effect) for customer, effect in effects.items() if customer in self._possible]

    def _after(self, customer: int, effect: Effect) -> set[State]:
        after = {effect(state) for state in self._possible[customer]}
        if None in after:  # away, or perhaps away
            self.gaps.add(customer)
        return after

    def existing(self) -> list[int]:
        """Customers that are there for certain."""
        return [customer for customer, states in self._possible.items() if None not in states]

    def known(self, customer: int) -> State:
        """The state of a customer, or None too if it is not certain."""
        states = self._possible[customer]
        return next(iter(states)) if len(states) == 1 else None

    def has_a_gap(self, customer: int) -> None:
        """This id is another person's from now on: so its history has a gap."""
        self.gaps.add(customer)

    def lost(self, table: Mapping[int, tuple[Any, ...]]) -> list[str]:
        """A line for each customer whose row is in none of the states that it may be in."""
        return [
            f"customer {customer}: the table has {table.get(customer)}, the editor left {_spoken(states)}"
            for customer, states in self._possible.items()
            if table.get(customer) not in states
        ]


def _spoken(states: Iterable[State]) -> str:
    return " or ".join(map(str, states))
