"""Names of the notifications between PostgreSQL and the broker. They carry no data: a notice is a hint."""

JOBS_CHANNEL = "vigilpay_jobs"  # a job was queued
STALE_CHANNEL = "vigilpay_stale"  # from triggers: a row became stale, and no worker held the lease
