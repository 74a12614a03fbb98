"""Fetching: the only step with network I/O, and the only one with two colours."""
