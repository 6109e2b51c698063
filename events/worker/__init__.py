"""The worker and its supervisor: processes, heartbeats, connections, and what the drains did."""
