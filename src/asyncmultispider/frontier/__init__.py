"""The frontier: every URL the crawl knows, and which may be fetched now."""
