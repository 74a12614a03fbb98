"""Work on a page, for a bench."""

from time import thread_time

from asyncmultispider.page import Follow, Page
from asyncmultispider.spider import Spider


def busy_spider(cpu_ms: float) -> Spider:
    """A spider that spends milliseconds of CPU on each page, in Python, and follows its links."""
    spider = Spider()

    @spider.on("*")
    def work(page: Page) -> list[Follow]:
        burn(cpu_ms / 1000)
        return page.follow()

    return spider


def burn(seconds: float) -> None:
    """Keep this thread's CPU busy for so long: waiting for a turn does not count."""
    end = thread_time() + seconds
    while thread_time() < end:
        sum(range(500))
