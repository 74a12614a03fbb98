"""The bookshop's web server: the standard library's, on the loopback alone."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asyncmultispider.demo.pages import answer

PORT = 8765
"""What the documentation has in its URLs."""


class Shop(ThreadingHTTPServer):
    """The server; `url` ends in a slash. Port 0 is a free one. Raises `OSError`."""

    daemon_threads = True

    def __init__(self, port: int = PORT) -> None:
        super().__init__(("127.0.0.1", port), Visitor)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Visitor(BaseHTTPRequestHandler):
    """A connection."""

    protocol_version = "HTTP/1.1"
    server_version = "Shop"
    sys_version = ""
    wbufsize = -1  # head and body in one packet
    timeout = 30

    def do_GET(self) -> None:
        """Send the page."""
        reply = answer(self.path, self.headers.get("Cookie", ""), self.headers.get("Host", ""))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""
