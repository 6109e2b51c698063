"""The feed of changed scores as programs read it: who has changed since their position, and what the score is now."""

from collections.abc import Mapping

from customers.api.parameters import Parameter, parse_query, whole_number
from customers.api.scores import Json, score_entry
from customers.history.feed import POSITION, Position, read_changes
from customers.models import Customer

DEFAULT_LIMIT, MOST = 100, 500

PARAMETERS: Mapping[str, Parameter] = {
    "limit": whole_number(f"How many changes at most; {DEFAULT_LIMIT} without it.", MOST, default=DEFAULT_LIMIT),
    "after": Parameter(
        {"type": "string", "pattern": f"^(|{POSITION.pattern})$"},
        "The next of the answer before. Empty or without it: no changes, but the position of this moment.",
    ),
}


def page(query: Mapping[str, str]) -> Json:
    """The page that the address asks for. Raises ``WrongFieldsError``, ``PositionGoneError``."""
    asked = parse_query(query, PARAMETERS)
    after = asked.get("after")
    found = read_changes(Position.from_text(after) if after else None, asked.get("limit", DEFAULT_LIMIT))
    return {
        "changes": entries(found.customer_ids),
        "next": str(found.next),
        "more": found.more,
        "waiting_since": found.waiting_since,
    }


def entries(customer_ids: list[int]) -> list[Json]:
    """Each customer once, as the row is now: what has changed since the ids were read comes again, later."""
    ids = list(dict.fromkeys(customer_ids))
    customers = Customer.objects.with_active_release().in_bulk(ids)
    return [
        {"deleted": False, **score_entry(customers[it])} if it in customers else {"customer_id": it, "deleted": True}
        for it in ids
    ]
