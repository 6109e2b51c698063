"""Scores that follow every edit: which customers are stale, who takes them, and the one statement that stores."""
