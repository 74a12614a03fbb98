"""The exact set of known fingerprints, in about 9 bytes a URL."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

BUCKET = 128
"""Mean fingerprints a bucket before all buckets are split: small enough that an insert is cheap."""


class KnownUrls:
    """A set of 64-bit fingerprints: sorted arrays in buckets by their leading bits.

    Fingerprints spread evenly, so buckets stay even. A look-up costs one bisection of a bucket,
    an insert a move of at most a few hundred bytes, whatever the size of the set.
    """

    __slots__ = ("_buckets", "_shift", "_size")

    def __init__(self, fingerprints: Iterable[int] = ()) -> None:
        self._buckets = [array("Q")]
        self._shift = 64
        self._size = 0
        for fingerprint in fingerprints:
            self.add(fingerprint)

    def __len__(self) -> int:
        return self._size

    def __contains__(self, fingerprint: int) -> bool:
        bucket = self._buckets[fingerprint >> self._shift]
        index = bisect_left(bucket, fingerprint)
        return index < len(bucket) and bucket[index] == fingerprint

    def add(self, fingerprint: int) -> bool:
        """Check and set in one call: False when it was known already."""
        bucket = self._buckets[fingerprint >> self._shift]
        index = bisect_left(bucket, fingerprint)
        if index < len(bucket) and bucket[index] == fingerprint:
            return False
        bucket.insert(index, fingerprint)
        self._size += 1
        if self._size > BUCKET * len(self._buckets):
            self._split()
        return True

    def _split(self) -> None:
        self._shift -= 1
        halves = []
        for number, bucket in enumerate(self._buckets):
            middle = bisect_left(bucket, (2 * number + 1) << self._shift)
            halves += [bucket[:middle], bucket[middle:]]
        self._buckets = halves
