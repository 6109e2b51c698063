"""Who may call which address outside the admin: one table, by the name of the address.

``vigilpay/web/access.py`` asks it before any view runs; the views know nothing of it. An address that is not in the
table is refused, and a test holds that each of ours is in it.
"""

from dataclasses import dataclass

from django.conf import settings

from vigilpay.access.models import Scope


@dataclass(frozen=True)
class Rule:
    """What a caller needs: a member of the staff this permission, a program a token with this scope.

    Without a permission any member of the staff may call, without a scope any valid token.
    """

    permission: str = ""
    scope: str = ""
    is_open: bool = False


OPEN = Rule(is_open=True)

RULES = {
    "index": OPEN,
    "customers:analyze": Rule("customers.rescore_customer", Scope.SCORE),
    "customers:insights": Rule("customers.view_customer", Scope.READ),
    "customers:history": Rule("customers.view_scorerecord", Scope.READ),
    "customers:what_if": Rule("customers.view_customer", Scope.READ),
    "customers:at_risk": Rule("customers.view_customer", Scope.READ),
    "customers:objection": Rule("customers.record_objection", Scope.IMPORT),
    "customers:changes": Rule("customers.view_customer", Scope.READ),
    "customers:analyze_many": Rule("customers.rescore_customer", Scope.SCORE),
    # Of each address only what it is for: any member of the staff, any program.
    "openapi": Rule(),
    # Not "read": what watches the engine has no business with customers.
    "events:freshness": Rule("events.view_overview", Scope.OPERATE),
    "health_live": OPEN,
    "health_ready": OPEN,
    "metrics": Rule("events.view_overview", Scope.OPERATE),
}


def rule_for(address: str) -> Rule | None:
    """The rule of an address, by its name with its namespace; None means that it is refused."""
    return OPEN if address in settings.OPEN_ADDRESSES else RULES.get(address)
