"""The list of customers: its order, pages, search, filters and actions."""
