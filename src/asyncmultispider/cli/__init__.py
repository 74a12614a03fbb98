"""The command line: `asyncmultispider`, or `ams` for short."""


def main() -> None:
    """Run it. The commands are imported here: workers import the script that started the crawl."""
    try:
        from asyncmultispider.cli import commands
    except KeyboardInterrupt:  # so early
        raise SystemExit(130) from None

    commands.main()
