"""What the kinds are made of: ordinary answers, and simple ways to depart from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hostile.server import Answer, Line

GOOD = 50
"""How many good pages there are."""

DONE = "done"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
"""The beginning of an answer to be gone on with."""


@dataclass(frozen=True)
class Kind:
    """A misbehaviour: its name, what is said at its path, and how the URLs it brings must end.

    `also` are answers at further paths. Of several ends any is right.
    """

    name: str
    answer: Answer
    ends: Mapping[str, frozenset[str]]
    also: Mapping[str, Answer] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/bad/{self.name}"


def kind(
    name: str,
    answer: Answer | bytes,
    *ends: str,
    more: Mapping[str, str] | None = None,
    also: Mapping[str, Answer] | None = None,
) -> Kind:
    """A kind; bytes are all that is said. `more` are the ends of other URLs it brings."""
    others = {path: frozenset({end}) for path, end in (more or {}).items()}
    spoken = _say(answer) if isinstance(answer, bytes) else answer
    return Kind(name, spoken, {f"/bad/{name}": frozenset(ends), **others}, also or {})


def html(title: str, *hrefs: str) -> bytes:
    """A page with links. No two titles, no two bodies the same."""
    anchors = "".join(f'<a href="{href}">{href}</a>\n' for href in hrefs)
    return f"<!doctype html><title>{title}</title>\n{anchors}".encode()


def answer(body: bytes, *lines: str, status: int = 200, kind: str = "text/html") -> bytes:
    """A well-formed answer, after which the connection may go on."""
    fields = [f"HTTP/1.1 {status} Fine", f"Content-Type: {kind}", *lines]
    return "\r\n".join([*fields, f"Content-Length: {len(body)}", "", ""]).encode() + body


def good_body(number: int) -> bytes:
    """A good page: it links to others like it."""
    return html(f"Good {number}", *(f"/good/{(number + n) % GOOD}" for n in (1, 2, 7)))


def good(line: Line) -> None:
    """Answer with a good page."""
    serve(line, good_body(int(line.path.rpartition("/")[2])))


def target(line: Line) -> None:
    """Answer with a page that a kind leads to."""
    serve(line, html(f"Target {line.path}"))


def serve(line: Line, body: bytes, kind: str = "text/html") -> None:
    """Answer as one should, and keep the connection."""
    line.open = True
    line.send(answer(body, kind=kind))


def then_next(data: bytes) -> Answer:
    """These bytes, and the next request is waited for."""

    def speak(line: Line) -> None:
        line.open = True
        line.send(data)

    return speak


def then_silence(data: bytes) -> Answer:
    """These bytes, and no end."""

    def speak(line: Line) -> None:
        line.send(data)
        line.silence()

    return speak


def then_flood(data: bytes, block: bytes) -> Answer:
    """These bytes, then the block without end."""

    def speak(line: Line) -> None:
        line.send(data)
        line.flood(block)

    return speak


def then_drip(data: bytes, dripped: bytes) -> Answer:
    """These bytes, then others one by one."""

    def speak(line: Line) -> None:
        line.send(data)
        line.drip(dripped)

    return speak


def then_reset(data: bytes) -> Answer:
    """These bytes, then a reset."""

    def speak(line: Line) -> None:
        line.send(data)
        line.reset()

    return speak


def _say(data: bytes) -> Answer:
    def speak(line: Line) -> None:
        line.send(data)

    return speak
