"""Why a file is not loaded."""


class RefusedError(Exception):
    """The file as a whole can't be loaded, and nothing of it was stored. The message is for staff."""
