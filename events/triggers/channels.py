"""Names of the notifications between PostgreSQL and the broker. They carry no data: a notice is a hint."""

JOBS_CHANNEL = "vigilpay_jobs"  # a job was queued
STALE_CHANNEL = "vigilpay_stale"  # the knock trigger: a row became stale, and nobody had promised to look
