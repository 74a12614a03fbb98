"""After a crash: what `pages.db` holds is what `frontier.db` calls done, no more and no less."""

from functools import partial
from pathlib import Path
from secrets import randbits

from msgspec import Struct

from asyncmultispider.frontier.known import KnownUrls
from asyncmultispider.frontier.sqlite import SqliteLedger
from asyncmultispider.store.sqlite import SqliteStore
from asyncmultispider.urls import fingerprint

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Mended(Struct, frozen=True, kw_only=True):
    """What a power cut, or somebody's hand, had put out of step.

    So many pages were not done in the ledger and are `dropped`, so many were done and not there and
    are `requeued`.
    """

    dropped: int = 0
    requeued: int = 0


def mend(ledger: SqliteLedger, store: SqliteStore) -> Mended:
    """Bring the two in step. The ledger has not been restored yet.

    A killed process can only leave pages behind whose URLs it had in hand. A power cut can undo the
    last commits of either file: then all is compared, in some 20 bytes of memory a URL.
    """
    store.drop(ledger.in_hand())
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    before = ledger.meta("boot") or boot
    mended = Mended()
    if before != boot or store.count() != ledger.count_done():
        mended = _compare(ledger, store)
    ledger.set_meta("boot", boot)
    return mended


def _compare(ledger: SqliteLedger, store: SqliteStore) -> Mended:
    mark = partial(fingerprint, seed=randbits(64))
    stored = KnownUrls(mark(url) for url in store.urls())
    missing = [id for id, url in ledger.done() if mark(url) not in stored]
    ledger.requeue(missing)
    done = KnownUrls(mark(url) for _, url in ledger.done())
    surplus = [url for url in store.urls() if mark(url) not in done]
    return Mended(dropped=store.drop(surplus), requeued=len(missing))
