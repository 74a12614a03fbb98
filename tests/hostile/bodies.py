"""Bodies: how they are framed, how fast they come, how they end."""

from hostile.messages import (
    DONE,
    OK,
    answer,
    html,
    kind,
    then_drip,
    then_flood,
    then_next,
    then_reset,
    then_silence,
)

BODY = html("A body")
SIZED = OK + b"Content-Length: 1000\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIRST = b"%x\r\n%b\r\n" % (len(BODY), BODY)
NO_PAGE = b"X-Robots-Tag: noindex\r\nLocation: /never\r\nContent-Type: image/png\r\n"
PROTOCOL = "failed:protocol"
TRUNCATED = "failed:truncated"
TOO_LARGE = "failed:too-large"
TIMEOUT = "failed:timeout"

KINDS = (
    kind("body-cut", SIZED + BODY, TRUNCATED),
    kind("body-cut-before-it", SIZED, TRUNCATED),
    kind("body-longer-than-said", then_next(answer(BODY) + b"x" * 100_000), DONE),
    kind(
        "body-answers-twice", then_next(answer(BODY) + answer(html("Smuggled", "/never")) * 3), DONE
    ),
    kind("body-endless", then_flood(OK + b"\r\n", b"x" * 65536), TOO_LARGE),
    kind(
        "body-endless-of-length",
        then_flood(OK + b"Content-Length: 9999999999\r\n\r\n", b"x" * 65536),
        TOO_LARGE,
    ),
    kind("body-without-end", then_silence(OK + b"\r\n" + BODY), TIMEOUT),
    kind("body-never-begins", then_silence(SIZED), TIMEOUT),
    kind("body-stalls", then_silence(SIZED + BODY), TIMEOUT),
    kind("body-drips", then_drip(SIZED, b"<p>"), TIMEOUT),
    kind("body-reset", then_reset(SIZED + BODY), "failed:reset", TRUNCATED),
    kind("answer-none", b"", "failed:reset"),
    kind("answer-reset", then_reset(b""), "failed:reset"),
    kind("answer-never", then_silence(b""), TIMEOUT),
    # Chunks
    kind("chunks-endless", then_flood(CHUNKED, b"10000\r\n%b\r\n" % (b"x" * 65536)), TOO_LARGE),
    kind("chunks-of-one-byte", then_flood(CHUNKED, b"1\r\nx\r\n" * 10_000), TOO_LARGE, TIMEOUT),
    kind("chunks-drip", then_drip(CHUNKED, b"1\r\nx\r\n"), TIMEOUT),
    kind("chunks-cut", CHUNKED + FIRST, TRUNCATED),
    kind("chunks-stall", then_silence(CHUNKED + FIRST), TIMEOUT),
    kind("chunk-size-bad", CHUNKED + FIRST + b"what?\r\n" + BODY, PROTOCOL),
    kind("chunk-size-negative", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", PROTOCOL),
    kind("chunk-size-none", CHUNKED + b"\r\nhello\r\n0\r\n\r\n", PROTOCOL),
    kind("chunk-size-overflow", CHUNKED + b"f" * 17 + b"\r\nhello\r\n0\r\n\r\n", PROTOCOL),
    kind("chunk-size-zeros", then_flood(CHUNKED, b"0" * 65536), PROTOCOL),
    kind("chunk-size-huge", CHUNKED + b"7fffffffffffffff\r\nhello", TRUNCATED, TOO_LARGE),
    kind("chunk-longer-than-said", CHUNKED + b"3\r\nhello\r\n0\r\n\r\n", PROTOCOL),
    kind("chunk-extension-endless", then_flood(CHUNKED + b"5;", b"x" * 65536), TIMEOUT, TOO_LARGE),
    kind(
        "chunk-extension-10-kb",
        CHUNKED + FIRST.replace(b"\r", b";" + b"x" * 10_000 + b"\r", 1) + b"0\r\n\r\n",
        DONE,
    ),
    kind(
        "trailers-endless",
        then_flood(CHUNKED + FIRST + b"0\r\n", b"X-A: aaaa\r\n" * 1000),
        TOO_LARGE,
    ),
    kind(
        "trailers-endless-line",
        then_flood(CHUNKED + FIRST + b"0\r\nX-A: ", b"a" * 65536),
        TOO_LARGE,
    ),
    kind("trailers-drip", then_drip(CHUNKED + FIRST + b"0\r\n", b"X-A: a\r\n"), TIMEOUT),
    kind("trailers-like-fields", CHUNKED + FIRST + b"0\r\n" + NO_PAGE + b"\r\n", DONE),
    kind(
        "trailers-like-an-answer",
        CHUNKED + FIRST + b"0\r\nHTTP/1.1 302 Found\r\nLocation: /never\r\n\r\n",
        DONE,
        PROTOCOL,
    ),
)
