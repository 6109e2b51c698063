"""What follows from a score: reasons, changes, suggestions and what-if answers."""
