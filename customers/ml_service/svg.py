"""Elements of SVG, with presentation attributes only: a strict Content-Security-Policy lets them be inline."""

import html

from customers.ml_service.messages import NO_BREAK


def element(name: str, *inside: str, **attributes: object) -> str:
    """An element around others, which stay as they are; `stroke_width=2` becomes `stroke-width="2"`."""
    shown = "".join(f' {key.strip("_").replace("_", "-")}="{written(value)}"' for key, value in attributes.items())
    return f"<{name}{shown}>{''.join(inside)}</{name}>" if inside else f"<{name}{shown}/>"


def text(name: str, words: str, **attributes: object) -> str:
    """An element around words, which are escaped."""
    return element(name, written(words), **attributes)


def written(value: object) -> str:
    """Escaped; numbers to the hundredth."""
    words = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    # XML has no way at all to write most control characters.
    return html.escape("".join(character for character in words if character.isprintable() or character == NO_BREAK))
