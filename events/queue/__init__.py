"""From a notification to a job: broker, listener, lease, dispatch, pause and schedules."""
