"""Customers and outcomes into the database from files, and out of it."""
