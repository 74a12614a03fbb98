"""`python -m asyncmultispider.demo [PORT]`: serve the bookshop until Ctrl-C."""

import sys
from contextlib import suppress

from asyncmultispider.demo.server import PORT, Shop


def main(arguments: list[str]) -> int:
    """Serve it. 2 when that can't be done."""
    port = arguments[0] if arguments else str(PORT)
    if len(arguments) > 1 or not (port.isascii() and port.isdecimal() and int(port) < 65536):
        print("usage: python -m asyncmultispider.demo [PORT]", file=sys.stderr)
        return 2
    try:
        shop = Shop(int(port))
    except OSError as error:
        print(f"can't serve on port {port}: {error.strerror}; try another", file=sys.stderr)
        return 2
    with shop, suppress(KeyboardInterrupt):
        print(f"a bookshop on {shop.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        shop.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
