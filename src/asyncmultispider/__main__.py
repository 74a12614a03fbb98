"""`python -m asyncmultispider`."""

from asyncmultispider.cli import main

if __name__ == "__main__":
    main()
