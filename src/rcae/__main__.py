"""`python -m rcae` is `rcae`."""

from rcae.cli import main

main()
