"""Promises to look, as a storm makes and breaks them: the only place of a storm that knows how they are kept."""

# The row for everybody who asks, the sequence for the triggers.
PROMISE = """
WITH promised AS (
    INSERT INTO events_watch (id, awake_until) VALUES (1, clock_timestamp() + interval '{}')
    ON CONFLICT (id) DO UPDATE SET awake_until = excluded.awake_until RETURNING awake_until
)
SELECT setval('events_awake', (date_part('epoch', awake_until) * 1000)::bigint) FROM promised
"""
NO_FALSE_PROMISE = """
WITH false_promise AS (
    DELETE FROM events_watch WHERE awake_until > clock_timestamp() + interval '1 min' RETURNING id
)
SELECT setval('events_awake', 1) FROM false_promise
"""
NO_PROMISE = """
WITH broken_promise AS (DELETE FROM events_watch RETURNING id)
SELECT setval('events_awake', 1) FROM broken_promise
"""
