"""What is kept about one customer, told to the customer, or erased."""
