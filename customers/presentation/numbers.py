"""How numbers are written, with the words that belong to them."""


def format_count(number: int, one: str, several: str) -> str:
    """``1 customer``, ``12,345 customers``."""
    return f"{number:,} {one if number == 1 else several}"
