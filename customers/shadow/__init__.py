"""A proposed model scored beside the active one: its scores, in a table of their own, and how they compare."""
