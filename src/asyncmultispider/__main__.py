"""`python -m asyncmultispider`."""

from asyncmultispider.cli import main

main()
