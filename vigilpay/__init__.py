"""The project: settings, addresses, access and the private database."""

__version__ = "0.1.dev0"  # on the way to the first release that CHANGELOG.md describes
