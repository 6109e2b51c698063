"""Which model is active, how another takes its place, and how far the customers have followed."""
