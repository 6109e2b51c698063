"""What staff do about the risk of a customer: contacts, the worklist, and the customers left out of it."""
