"""Chaos: real crawls of real sites, killed again and again, then checked by outside witnesses.

sites      what can be fetched, by a walk that is not ours; kept for the process
processes  the crawl command as a process group, to kill in part or whole
monkey     what to do to it, and when: all from one seed
rounds     one crawl from its start to its end, however often it is killed
checks     the ledger, the pages, the items, the output, the server's log: all as they must be
"""
