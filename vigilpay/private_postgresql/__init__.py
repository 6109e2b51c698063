"""The private PostgreSQL of a checkout: ``vigilpay.localdb`` is its front door."""
