"""Asking the user at the terminal."""


def ask(question: str) -> str:
    """What was typed, without blanks around it; nothing where the input has ended, as without a terminal."""
    try:
        return input(question).strip()
    except EOFError:
        return ""
