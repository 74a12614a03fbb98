"""The same crawl by every engine, measured: which one, and how many in flight, for my site?"""
