"""What PostgreSQL itself does at every edit: the triggers, how they are installed and compared."""
