"""Time that only a test moves."""


class FakeClock:
    """A steady clock and a wall clock that go together, in seconds.

    Give `clock.monotonic` and `clock.time` to whatever would read the real ones.
    """

    def __init__(self, steady: float = 1_000.0, wall: float = 1_750_000_000.0) -> None:
        self._steady = steady
        self._wall = wall

    def monotonic(self) -> float:
        """The steady time, as `time.monotonic`."""
        return self._steady

    def time(self) -> float:
        """The Unix time, as `time.time`."""
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let the time pass. Raises `ValueError` for a step back: no clock here goes back."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        self._steady += seconds
        self._wall += seconds
