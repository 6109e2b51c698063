"""From exact contributions to plain English. What a reason says is decided by this customer's own contribution.

Gender and country move the score, but a bank must not tell (or act on) "because she is a woman": by default the two are
summed as "Other factors".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .schema import Explanation

PROTECTED = ("geography", "gender")
OTHER_FACTORS = "other_factors"
_NOTABLE_POINTS = 0.5

Direction = Literal["raises", "lowers"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason for a score. `code` is stable, `text` may be reworded; `points` are signed percentage points."""

    code: str
    text: str
    points: float
    direction: Direction


def reasons_for(explanation: Explanation, *, limit: int = 3, name_protected: bool = False) -> tuple[Reason, ...]:
    """Return at most `limit` reasons: those that raise the risk first, the weightiest first in each direction.

    Contributions under half a percentage point are left out. `name_protected` words gender and country as well.
    """
    reasons = [_reason(field, part, explanation.inputs) for field, part in _parts(explanation, name_protected).items()]
    notable = [reason for reason in reasons if abs(reason.points) >= _NOTABLE_POINTS]
    return tuple(sorted(notable, key=lambda reason: (reason.points < 0, -abs(reason.points)))[:limit])


def _parts(explanation: Explanation, name_protected: bool) -> dict[str, float]:
    parts = dict(explanation.contributions)
    if not name_protected:
        parts[OTHER_FACTORS] = sum(parts.pop(field) for field in PROTECTED)
    return parts


def _reason(field: str, contribution: float, inputs: Mapping[str, Any]) -> Reason:
    raises = contribution > 0
    code, text = _WORDING[field](raises, inputs)
    return Reason(code, text, 100 * contribution, "raises" if raises else "lowers")


Words = tuple[str, str]
_Wording = Callable[[bool, Mapping[str, Any]], Words]


def _credit_score(raises: bool, inputs: Mapping[str, Any]) -> Words:
    score = int(inputs["credit_score"])
    if raises and score < _LOW_CREDIT_SCORE:
        return "low_credit_score", "Credit score too low"
    return ("credit_score_raises" if raises else "credit_score_lowers"), f"Credit score {score}"


def _age(raises: bool, inputs: Mapping[str, Any]) -> Words:
    return ("age_raises" if raises else "age_lowers"), f"Age {int(inputs['age'])}"


def _tenure(raises: bool, inputs: Mapping[str, Any]) -> Words:
    years = int(inputs["tenure"])
    spoken = "year" if years == 1 else "years"
    return ("tenure_raises" if raises else "tenure_lowers", f"{years} {spoken} with the bank")


def _balance(raises: bool, inputs: Mapping[str, Any]) -> Words:
    """A low balance raises the risk of some customers and lowers that of others: only the contribution knows."""
    if float(inputs["balance"]) < _LOW_BALANCE:
        return ("low_balance", "Balance too low") if raises else ("low_balance_lowers", "Low balance")
    return ("high_balance", "High balance to lose") if raises else ("high_balance_lowers", "High balance")


def _products(raises: bool, inputs: Mapping[str, Any]) -> Words:
    number = int(inputs["num_of_products"])
    if not raises:
        return "products_lower", f"{number} product{'s' if number != 1 else ''}"
    return ("single_product", "Only one product") if number == 1 else ("many_products", f"Too many products ({number})")


def _card(raises: bool, inputs: Mapping[str, Any]) -> Words:
    has_card = bool(inputs["has_cr_card"])
    code = ("card" if has_card else "no_card") + ("_raises" if raises else "_lowers")
    return code, "Has a credit card" if has_card else "No credit card"


def _activity(raises: bool, inputs: Mapping[str, Any]) -> Words:
    active = bool(inputs["is_active_member"])
    code = ("active" if active else "inactive") + ("_raises" if raises else "_lowers")
    return _ACTIVITY_CODES.get(code, code), "Active member" if active else "Inactive member"


def _country(raises: bool, inputs: Mapping[str, Any]) -> Words:
    return f"country_{'raises' if raises else 'lowers'}", f"Customer in {inputs['geography']}"


def _gender(raises: bool, inputs: Mapping[str, Any]) -> Words:
    return f"gender_{'raises' if raises else 'lowers'}", f"{inputs['gender']} customer"


def _other(raises: bool, inputs: Mapping[str, Any]) -> Words:
    return OTHER_FACTORS, "Other factors"


_LOW_BALANCE = 10_000
_LOW_CREDIT_SCORE = 500
_ACTIVITY_CODES = {"inactive_raises": "inactive_member", "active_lowers": "active_member"}
_WORDING: Mapping[str, _Wording] = {
    "credit_score": _credit_score,
    "geography": _country,
    "gender": _gender,
    "age": _age,
    "tenure": _tenure,
    "balance": _balance,
    "num_of_products": _products,
    "has_cr_card": _card,
    "is_active_member": _activity,
    OTHER_FACTORS: _other,
}
