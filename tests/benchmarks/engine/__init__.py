"""What the event engine costs editors, and how near its drain comes to what the database can do: ``make bench-engine``."""
