"""How Django itself writes dates and numbers in the admin."""
