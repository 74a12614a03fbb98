"""asyncmultispider: a polite, crash-safe web crawler that is fast per CPU-second."""

__version__ = "0.1.0"
