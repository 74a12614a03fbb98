"""A web to crawl in tests: real HTTP/1.1 on real sockets, in a thread of its own.

    with Site() as site:
        site.page("/", "<a href=/a>a</a>")
        site.sequence("/a", Reply(503), reset(), Reply(200, "at last"))
        ...
        site.wait_until(lambda: site.hits("/a") == 3)

What always holds: a route is looked up by the whole request target, then without its query, then
by the longest `prefix*`; all else is 404. A connection stays open unless one side says `close` or
a handler wrote the bytes itself. A client that goes away ends its request at once. A malformed
request or a bug in a handler is raised when the site closes. Leaving the `with` block ends
everything, however stuck a client or handler is.

Misbehaviour that is only odd bytes is a `Reply`; what needs control over the socket is a handler.
nginx is in `servers_nginx`.
"""

from webserver.certificates import Certificates
from webserver.messages import Handler, HeaderFields, Recorded, Reply, Route, redirection
from webserver.site import Hold, Site
from webserver.special import (
    bad_chunk_size,
    big,
    binary,
    chunked,
    corrupt_gzip,
    cut_gzip,
    deflated,
    empty,
    endless_head,
    garbage,
    gzip_bomb,
    gzipped,
    no_answer,
    no_location,
    raw,
    redirect_chain,
    redirect_loop,
    reset,
    truncated,
    understated,
    unfinished_chunks,
    unsized,
)

__all__ = [
    "Certificates",
    "Handler",
    "HeaderFields",
    "Hold",
    "Recorded",
    "Reply",
    "Route",
    "Site",
    "bad_chunk_size",
    "big",
    "binary",
    "chunked",
    "corrupt_gzip",
    "cut_gzip",
    "deflated",
    "empty",
    "endless_head",
    "garbage",
    "gzip_bomb",
    "gzipped",
    "no_answer",
    "no_location",
    "raw",
    "redirect_chain",
    "redirect_loop",
    "redirection",
    "reset",
    "truncated",
    "understated",
    "unfinished_chunks",
    "unsized",
]
