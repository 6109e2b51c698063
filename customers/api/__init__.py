"""What programs ask and how they are answered: JSON in, JSON out."""
