"""Which customers are stale, and which are excluded from scoring, in SQL about ``customers_customer AS customer``.

``models.is_stale`` and ``models.is_excluded`` are the same for Django's queries, and a test holds them equal.
"""

# What is stale by the fields of its own row: edited since, or scored by another model than the active one, whichever
# came first. A customer who has objected to being scored has neither of the two, which a constraint holds: not stale.
STALE = "(customer.stale_since IS NOT NULL OR customer.scored_by_id <> %(release)s)"

# A failure is of one version and one model: an edit or another model ends it, and so does its time.
OF_THIS_VERSION = """failure.customer_id = customer.customer_id
      AND failure.arrived_at = customer.arrived_at AND failure.version = customer.version"""
# Excluded, for whatever reason of ``models.Exclusion``: by the customer's objection, or by a failure that is not due.
NOT_EXCLUDED = f"""customer.objected_at IS NULL AND NOT EXISTS (
    SELECT FROM customers_scoringfailure AS failure
    WHERE {OF_THIS_VERSION}
      AND failure.release_id = %(release)s AND (failure.retry_at IS NULL OR failure.retry_at > clock_timestamp()))"""
# The failures that are due again count, too: their customers wait for a retry, and not for a worker. Not by IN, which
# PostgreSQL could only answer from a table of all failures: they may be a million.
HELD_BACK = f"""EXISTS (SELECT FROM customers_scoringfailure AS failure
    WHERE {OF_THIS_VERSION} AND failure.release_id = %(release)s)"""
