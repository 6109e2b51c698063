"""How our programs start, log, and end, and how they start others."""
