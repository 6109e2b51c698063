"""Whether what is stored is right, still fits the customers, and turned out to be true."""
