"""Who may do what in the database: the rights that each process needs, as SQL, and compared with what is there."""
