"""The trigger of the releases: every score may be another model's when one comes or goes."""

from customers.scoring.marks import SWEEP
from events.triggers.channels import STALE_CHANNEL
from events.triggers.sql import RELEASES, Trigger

# The newest one is active.
RELEASED = Trigger(
    name="vigilpay_released",
    event="AFTER INSERT OR DELETE",
    table=RELEASES,
    level="STATEMENT",
    with_rights_of_owner=True,
    body=f"""
BEGIN
    IF TG_RELID <> '@schema@.{RELEASES}'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to {RELEASES}';
    END IF;
    INSERT INTO @schema@.customers_stalemark (kind, ids) VALUES ({SWEEP}, ARRAY[0]);
    IF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY {STALE_CHANNEL};
    END IF;
    RETURN NULL;
END
""",
)
