"""`python -m rcae` is `rcae`."""

from rcae.cli.main import main

main()
