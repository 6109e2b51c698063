"""Leases as a storm takes and ends them: the only place of a storm that knows how they are stored."""

# The row for the workers and Django, the sequence for the triggers.
HOLD = """
WITH leased AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + interval '{}')
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until RETURNING awake_until
)
SELECT setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint) FROM leased
"""
END_FALSE = """
WITH false_lease AS (
    DELETE FROM events_watch WHERE awake_until > clock_timestamp() + interval '1 min' RETURNING id
)
SELECT setval('events_awake', 1) FROM false_lease
"""
END = """
WITH ended AS (DELETE FROM events_watch RETURNING id)
SELECT setval('events_awake', 1) FROM ended
"""
