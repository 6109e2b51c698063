"""What the event engine costs editors, and how near its drain comes to the database's limit: ``make bench-engine``."""
