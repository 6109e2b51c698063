"""Models as files: read, verified, put in place, kept and loaded."""
