"""A CSV file that staff have uploaded: checked first, and imported by the workers once it is confirmed."""
