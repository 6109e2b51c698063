"""The overview of the admin: what it counts, when, and its HTML."""
