"""Which customers are stale, in SQL about a row of ``customers_customer AS customer``; ``models.is_stale`` is the same
for Django's queries, and a test holds the two equal."""

# What is stale by the fields of its own row: edited since, or scored by another model than the active one, whichever
# came first. And what has failed, and is not due yet: nothing has changed since.
STALE = "(customer.stale_since IS NOT NULL OR customer.scored_by_id <> %(release)s)"
OF_THIS_VERSION = """failure.customer_id = customer.customer_id
      AND failure.arrived_at = customer.arrived_at AND failure.version = customer.version"""
NOT_FAILED = f"""NOT EXISTS (
    SELECT FROM customers_scoringfailure AS failure
    WHERE {OF_THIS_VERSION}
      AND failure.release_id = %(release)s AND (failure.retry_at IS NULL OR failure.retry_at > clock_timestamp()))"""
