"""Only what earlier versions have named by this path: see ``customers/import_export/uploads``."""
