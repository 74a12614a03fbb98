"""Who we are: what the fetchers of a process share to tell it to each host."""

from asyncmultispider.fetch.cookies import Jar
from asyncmultispider.fetch.headers import RequestFields
from asyncmultispider.fetch.proxies import Proxies
from asyncmultispider.settings import Settings


class Identity:
    """Header fields, proxies and cookies, as the settings ask for them. To be shared by threads.

    `proxies` and `jar` are None unless they were asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self.fields = RequestFields(settings)
        self.proxies = Proxies(settings.proxies) if settings.proxies else None
        self.jar = Jar() if settings.cookies else None
