"""The project: settings, addresses, access and the private database."""
