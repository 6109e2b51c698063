"""A bank's CSV file into the customer table; ``importer.import_file`` is the way in."""
