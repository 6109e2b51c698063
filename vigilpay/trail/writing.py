"""Appending to the audit trail."""

from collections.abc import Sequence
from getpass import getuser

from customers.sql import execute
from vigilpay.trail.models import TrailEntry

MOST_CHARACTERS = 150
MOST_IN_ADDRESS = 100

# One statement, whose commit does not wait for the disk: a crash of the server may lose the last fraction of a second.
APPEND = """
INSERT INTO vigilpay_trailentry (actor, purpose, refused, customer_ids, address)
SELECT %(actor)s, %(purpose)s, %(refused)s, %(customer_ids)s::bigint[], %(address)s
WHERE set_config('synchronous_commit', 'off', true) = 'off'
"""


def append(
    actor: str, purpose: TrailEntry.Purpose, address: str, customer_ids: Sequence[int] = (), *, refused: bool = False
) -> None:
    """Note what this actor did. Raises what Django raises where the database can't be written."""
    execute(
        APPEND,
        {
            "actor": actor[:MOST_CHARACTERS],
            "purpose": purpose,
            "refused": refused,
            "customer_ids": list(customer_ids),
            "address": address[:MOST_IN_ADDRESS],
        },
    )


def command_actor(command: str) -> str:
    """Who runs this command: ``command:erase_customer by alice``, by the user of the operating system."""
    try:
        user = getuser()
    except (KeyError, OSError):  # a container may run a number without a name
        user = "an unknown user"
    return f"command:{command} by {user}"
