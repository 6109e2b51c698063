"""How fresh the scores are, as numbers, as one word, and as a table."""
