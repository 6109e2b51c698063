"""What an error must be so that a command shows its message instead of a traceback."""


class ExplainedError(Exception):
    """Its message is for the user: it says what is wrong and what to do."""
