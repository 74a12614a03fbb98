"""The command line: `asyncmultispider`, or `ams` for short."""


def main() -> None:
    """Run it. The commands are imported here: workers import the script that started the crawl."""
    from asyncmultispider.cli import commands

    commands.main()
