"""The one error tree, told apart by who must act.

Expected trouble of a single URL is never an exception: it is a `model.Failure`.
"""


class CrawlError(Exception):
    """Base of everything this package raises on purpose."""


class UsageError(CrawlError):
    """The user must change the command, a setting or a file (exit code 2)."""


class StorageError(CrawlError):
    """A store or the frontier can't go on: disk full, file damaged (exit code 3).

    The state on disk is safe; the same command continues once the cause is gone.
    """

    advice = "state is safe: run the same command again to continue"


class DamageError(StorageError):
    """A file of ours can't be read any more as it is; running again will not help."""

    advice = "bring back a copy of it, or forget the crawl with --fresh"


class WorkerError(StorageError):
    """Worker processes end again and again, whatever they are given (exit code 3)."""
