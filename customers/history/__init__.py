"""Every score that a customer has had, and for how long that is kept."""
