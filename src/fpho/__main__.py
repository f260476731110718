"""`python -m fpho` is `fpho`."""

from .cli import main

main()
