"""The control group: which customers no worklist contains, so that contacts can be compared with none.

Membership follows from the id, a seed and a share alone. Both are written once and never change: another share would
move customers from one group to the other, and all that was measured before would be lost.
"""

import hashlib
import secrets
from typing import Any

from django.apps import apps as installed
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from customers.models import ControlGroup

# The first 32 bits of the MD5 of "<seed>:<customer id>", as a share of 2**32. MD5 protects nothing here: it mixes.
BITS = 2**32
MIXED = "md5(%(control_seed)s::text || ':' || customer.customer_id::text)"
IN_CONTROL = f"(('x' || substr({MIXED}, 1, 8))::bit(32)::bigint < %(control_share)s * {BITS}::float8)"

FIX = """
INSERT INTO customers_controlgroup (id, seed, share) VALUES (1, %s, %s) ON CONFLICT (id) DO NOTHING
"""


def is_in_control(customer_id: int, group: ControlGroup | None) -> bool:
    """Whether this customer is left out of all worklists; of no group: none is."""
    if group is None:
        return False
    mixed = hashlib.md5(f"{group.seed}:{customer_id}".encode(), usedforsecurity=False).hexdigest()
    return int(mixed[:8], 16) < group.share * BITS


def control_values(group: ControlGroup | None) -> dict[str, Any]:
    """The parameters of ``IN_CONTROL``, a condition on ``customers_customer AS customer``."""
    return {"control_seed": group.seed if group else 0, "control_share": group.share if group else 0.0}


def control_group(using: str = DEFAULT_DB_ALIAS) -> ControlGroup | None:
    """The group as it was fixed; fixed now if the setting asks for one and there is none. None: no control group."""
    group = ControlGroup.objects.using(using).first()
    if group is None and settings.CONTROL_SHARE > 0:
        with connections[using].cursor() as cursor:
            cursor.execute(FIX, [secrets.randbits(63), settings.CONTROL_SHARE])
        group = ControlGroup.objects.using(using).first()
    return group


def fix_control_group(using: str = DEFAULT_DB_ALIAS, apps: Any = installed, **kwargs: Any) -> None:
    """Have the group fixed before the first worklist. Connected to ``post_migrate``."""
    try:
        apps.get_model("customers", "ControlGroup")
    except LookupError:
        return  # migrated so far that there is no table yet
    control_group(using)


def differing_share(using: str = DEFAULT_DB_ALIAS) -> float | None:
    """The share that was fixed, where the setting says another one; None where they agree, or nothing was fixed."""
    try:
        group = ControlGroup.objects.using(using).first()
    except DatabaseError:
        return None  # no tables yet
    return group.share if group and group.share != settings.CONTROL_SHARE else None
