"""How fast the list of customers is."""
