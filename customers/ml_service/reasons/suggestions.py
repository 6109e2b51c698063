"""What would lower a customer's risk: single and paired changes of what a bank can influence, scored all at once.

Suggested is only what a bank would offer: to become active, to take a card, another number of products, a higher
balance. Never to become inactive, to give a card back or to take money away, whatever the model says of those.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from customers.ml_service.forest import engine
from customers.ml_service.forest.encoding import encode_row, pick
from customers.ml_service.forest.forest import Forest
from customers.ml_service.messages import FormatMoney, format_percent, format_plain_amount
from customers.ml_service.schema import FEATURES

from .reasons import PROTECTED
from .what_if import NOTE

# In percentage points. For less no bank would call a customer, and the forest is no finer than that.
SMALLEST_GAIN = 1.0

# What the model has seen enough of to be asked: of the customers it was trained on 97 % had one or two products, and of
# their balances, those of zero aside, 98 % lay in this range.
PRODUCTS = (1, 2)
BALANCES = range(50_000, 200_001)

# Steps of the balance are shares of the customer's own, or of this when that is smaller; in whole thousands.
BALANCE_RISES = (0.25, 0.5, 1.0)
SMALLEST_BASE = 100_000
BALANCE_GRAIN = 1_000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A change of one or two fields that would lower this customer's score.

    `code` is stable, `text` may be reworded; `changes` gives the new values by field. Scores are probabilities in
    [0, 1]. `caveat` says what the difference does not mean; show it beside the text.
    """

    code: str
    text: str
    changes: Mapping[str, int]
    score_before: float
    score_after: float
    caveat: str

    @property
    def points_gained(self) -> float:
        """By how many percentage points the score would be lower."""
        return points_between(self.score_before, self.score_after)


class Step(NamedTuple):
    """Another value of one field."""

    code: str
    field: str
    value: int


Plan = tuple[Step, ...]


def best_changes(
    forest: Forest,
    customer_data: Mapping[str, Any],
    *,
    limit: int = 5,
    protected: Collection[str] = PROTECTED,
    format_money: FormatMoney = format_plain_amount,
) -> tuple[Suggestion, ...]:
    """Return at most `limit` suggestions, the lowest score first; none when nothing would gain SMALLEST_GAIN.

    A pair is suggested only where it gains that much more than every single change of either field, and of several
    steps of the same fields the smallest that comes within it of the best.
    None changes a `protected` field. `format_money` writes balances. Raises InputError naming a field that cannot be
    scored.
    """
    row = encode_row(pick(customer_data), forest.encodings)
    own = dict(zip(FEATURES, row, strict=True))
    groups = plans_for(own, protected)
    plans = [plan for group in groups for plan in group]
    before, *after = engine.score_rows(forest.flat, forest.encodings.in_float32(variants(row, plans))).tolist()
    outlook = Outlook(before, dict(zip(plans, after, strict=True)))
    chosen = sorted(outlook.smallest_of_the_best(groups), key=outlook.scores.__getitem__)
    return tuple(
        Suggestion(
            code="_AND_".join(step.code for step in plan),
            text=_describe_plan(plan, before, outlook.scores[plan], format_money),
            changes={step.field: step.value for step in plan},
            score_before=before,
            score_after=outlook.scores[plan],
            caveat=NOTE,
        )
        for plan in chosen[:limit]
    )


def points_between(before: float, after: float) -> float:
    """Percentage points by which the risk is lower after."""
    return 100 * (before - after)


# --- what can be done -------------------------------------------------------------------------------------------------


def plans_for(own: Mapping[str, float], protected: Collection[str]) -> list[list[Plan]]:
    """Return the plans in groups that change the same one or two fields, smaller steps first, single fields first."""
    possible = [
        [] if own["is_active_member"] else [Step("BECOME_ACTIVE", "is_active_member", True)],
        product_steps(own["num_of_products"]),
        [] if own["has_cr_card"] else [Step("TAKE_CREDIT_CARD", "has_cr_card", True)],
        balance_steps(own["balance"]),
    ]
    steps = [[step for step in of_field if step.field not in protected] for of_field in possible]
    singles: list[list[Plan]] = [[(step,) for step in of_field] for of_field in steps]
    pairs: list[list[Plan]] = [list(product(these, those)) for these, those in combinations(steps, 2)]
    return singles + pairs


def product_steps(own: float) -> list[Step]:
    """Return the other numbers of products that are worth a thought, the nearest first."""
    return [
        Step("MORE_PRODUCTS" if number > own else "FEWER_PRODUCTS", "num_of_products", number)
        for number in sorted(PRODUCTS, key=lambda number: abs(number - own))
        if number != own
    ]


def balance_steps(own: float) -> list[Step]:
    """Return higher balances such as the model has seen, the nearest first."""
    rises = (share * max(own, SMALLEST_BASE) for share in BALANCE_RISES)
    targets = (ceil((own + rise) / BALANCE_GRAIN) * BALANCE_GRAIN for rise in rises)
    return [Step("RAISE_BALANCE", "balance", target) for target in targets if target in BALANCES]


def variants(row: Sequence[float], plans: Sequence[Plan]) -> NDArray[np.float64]:
    """Return the encoded customer as it is, and below it once for each plan with that plan's values."""
    matrix = np.array([row] * (1 + len(plans)), dtype=np.float64)
    for variant, plan in zip(matrix[1:], plans, strict=True):
        for step in plan:
            variant[FEATURES.index(step.field)] = step.value
    return matrix


# --- what is worth saying ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """The present score, and the score of every plan."""

    before: float
    scores: Mapping[Plan, float]

    def smallest_of_the_best(self, groups: Iterable[Sequence[Plan]]) -> list[Plan]:
        """Return one plan of each group that has any worth its while."""
        worthwhile = [[plan for plan in group if self.is_worthwhile(plan)] for group in groups]
        return [self.smallest_near_the_best(plans) for plans in worthwhile if plans]

    def is_worthwhile(self, plan: Plan) -> bool:
        """Whether it gains enough, against the present and, for a pair, against any single change of either field."""
        simpler = [self.best_single[step.field] for step in plan] if len(plan) > 1 else []
        return points_between(min([self.before, *simpler]), self.scores[plan]) >= SMALLEST_GAIN

    @cached_property
    def best_single(self) -> dict[str, float]:
        """The lowest score that each field gives alone."""
        best: dict[str, float] = {}
        for (step, *others), score in self.scores.items():
            if not others:
                best[step.field] = min(score, best.get(step.field, score))
        return best

    def smallest_near_the_best(self, plans: Sequence[Plan]) -> Plan:
        best = min(self.scores[plan] for plan in plans)
        return next(plan for plan in plans if points_between(self.scores[plan], best) < SMALLEST_GAIN)


def _describe_plan(plan: Plan, before: float, after: float, format_money: FormatMoney) -> str:
    """``2 products and active: 97.6 % → 33.8 %``; what the customer is, after what the customer has."""
    steps = sorted(plan, key=lambda step: step.field == "is_active_member")
    words = " and ".join(_describe_step(step, format_money) for step in steps)
    return f"{words[0].upper()}{words[1:]}: {format_percent(before)} → {format_percent(after)}"


def _describe_step(step: Step, format_money: FormatMoney) -> str:
    match step.field:
        case "num_of_products":
            return f"{step.value} {'product' if step.value == 1 else 'products'}"
        case "balance":
            return f"balance {format_money(step.value)}"
    return {"is_active_member": "active", "has_cr_card": "credit card"}[step.field]
