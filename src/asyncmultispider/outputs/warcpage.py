"""What an archive says of a page: an answer, what was asked, what else is known; and of itself."""

from collections.abc import Mapping
from typing import Any

from msgspec import json

from asyncmultispider.outputs.httptext import request_head, response_head
from asyncmultispider.outputs.warcfile import (
    Fields,
    digest_field,
    make_record,
    one_line,
    record_id,
    target_uri,
    warc_fields,
)
from asyncmultispider.settings import without_user
from asyncmultispider.store.captures import Capture
from asyncmultispider.version import __version__

REVISIT = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
"""The profile of a `revisit`: its payload was written before, and has the same digest."""
CUT = 64 * 1024
"""Bytes at which the body of a redirect or an error was cut when it was fetched."""
WITHHELD = frozenset({"headers", "header_pool", "proxies"})
"""Settings that are made of secrets, or have them beside them."""
RECONSTRUCTED = (
    "HTTP messages are reconstructed. Answers: the status, the header fields as received, the body "
    "with its content coding undone; what the fields told of its coding and length as sent is in "
    "X-Crawl-* fields. Requests: as they are by default, without what users or spiders added."
)
SOFTWARE = b"software: asyncmultispider/"
"""How the block of a `warcinfo` record of this program begins."""
_FIELDS = "application/warc-fields"
_CONFORMS = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"


def info_record(name: str, date: str, about: Mapping[str, Any]) -> tuple[str, bytes]:
    """The first record of the file of this name, and its id. `about` are settings."""
    block = warc_fields(
        (
            ("software", f"asyncmultispider/{__version__}"),
            ("format", "WARC File Format 1.1"),
            ("conformsTo", _CONFORMS),
            ("robots", _robots(about)),
            ("http-header-user-agent", agent_of(about)),
            ("description", RECONSTRUCTED),
            ("settings", json.encode(_told(about), enc_hook=str).decode()),
        )
    )
    identity = record_id("warcinfo", name, date, block.decode())
    fields = (("WARC-Filename", one_line(name)),)
    return identity, make_record("warcinfo", identity, date, fields, _FIELDS, block)


def page_records(capture: Capture, info: str, agent: str | None) -> tuple[bytes, ...]:
    """The answer, as `response` or `revisit`, the `request` and the `metadata` of a page.

    `info` is the id of the file's first record.
    """
    url, date = target_uri(capture.url), warc_date(capture.fetched_at)
    what = (date, capture.digest.hex(), url)
    common = (("WARC-Warcinfo-ID", info), ("WARC-Target-URI", url))
    payload = ("WARC-Payload-Digest", digest_field(capture.digest))
    head = response_head(capture.status, capture.headers, capture.size)
    kind, more = ("revisit", _first(capture)) if capture.first_url else ("response", _cut(capture))
    identity = record_id(kind, *what)
    beside = (*common, ("WARC-Concurrent-To", identity))
    return (
        make_record(
            kind,
            identity,
            date,
            (*common, payload, *more),
            "application/http;msgtype=response",
            head,
            capture.body,
        ),
        make_record(
            "request",
            record_id("request", *what),
            date,
            beside,
            "application/http;msgtype=request",
            request_head(url, agent),
        ),
        make_record(
            "metadata", record_id("metadata", *what), date, beside, _FIELDS, _known(capture)
        ),
    )


def agent_of(about: Mapping[str, Any]) -> str | None:
    """The name under which all requests were sent, if it was one and is known."""
    agent = about.get("user_agent")
    return agent if isinstance(agent, str) and not about.get("user_agents") else None


def warc_date(moment: str) -> str:
    """A time of `pages.fetched_at` as WARC fields have it, in milliseconds."""
    return moment.replace("+00:00", "Z")


def _first(capture: Capture) -> Fields:
    url, date = target_uri(capture.first_url or ""), warc_date(capture.first_at or "")
    return (
        ("WARC-Profile", REVISIT),
        ("WARC-Refers-To", record_id("response", date, capture.digest.hex(), url)),
        ("WARC-Refers-To-Target-URI", url),
        ("WARC-Refers-To-Date", date),
    )


def _cut(capture: Capture) -> Fields:
    cut = capture.size >= CUT and not 200 <= capture.status < 300
    return (("WARC-Truncated", "length"),) if cut else ()


def _known(capture: Capture) -> bytes:
    # `hopsFromSeed` would want to know the kind of each hop; what is known is how many links.
    return warc_fields(
        (
            ("via", capture.referrer),
            ("depth", str(capture.depth)),
            ("fetchTimeMs", f"{capture.elapsed_ms:.0f}"),
            ("charset-detected", capture.charset),
            ("canonical", capture.canonical),
            ("certificate", "not verified" if capture.unverified else None),
        )
    )


def _robots(about: Mapping[str, Any]) -> str | None:
    if "ignore_robots" not in about:
        return None
    return "ignored" if about["ignore_robots"] else "obeyed (RFC 9309)"


def _told(about: Mapping[str, Any]) -> Any:
    return {name: _masked(value) for name, value in about.items() if name not in WITHHELD}


def _masked(value: Any) -> Any:
    """The same in Unicode, with the logins of URLs hidden."""
    if isinstance(value, str):
        return without_user(value.encode(errors="replace").decode())
    if isinstance(value, list | tuple):
        return [_masked(each) for each in value]
    return value
