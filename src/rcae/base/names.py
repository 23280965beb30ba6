"""The name that a person probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question to end a message with, or nothing if the name is known or no known one is near.

    >>> meant("quik", ["quick", "paper"])
    " Is 'quik' meant to be 'quick'?"
    """
    by_lower = {each.casefold(): each for each in known}
    near = get_close_matches(name.casefold(), by_lower, n=1)
    if not near or name.casefold() in by_lower:
        return ""
    return f" Is '{name}' meant to be '{by_lower[near[0]]}'?"
