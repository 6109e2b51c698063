"""The overview of the admin: what it counts, when, and how it looks."""
