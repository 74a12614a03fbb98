"""Benchmarks: what a crawl costs in CPU, memory and time, beside other crawlers.

Each module runs by itself: `python -m benchmarks.peers --help`.
"""
