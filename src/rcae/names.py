"""File names as text that can be printed and stored anywhere."""


def printable(name: object) -> str:
    """As text without control characters, and without bytes of file names that are no text."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(name)
    )
