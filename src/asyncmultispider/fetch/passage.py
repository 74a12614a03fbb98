"""The way of one libcurl handle through the pool of proxies."""

from time import perf_counter

import pycurl

from asyncmultispider.fetch.blame import REFUSED, Blame, Facts, blame, without_login_of
from asyncmultispider.fetch.proxies import Proxies
from asyncmultispider.model import Reason


class Passage:
    """Chooses the proxy of each transfer, and tells the pool what came of it."""

    def __init__(self, curl: pycurl.Curl, proxies: Proxies) -> None:
        self._curl = curl
        self._proxies = proxies
        self._proxy = ""
        self._began = 0.0

    def choose(self, host: str) -> None:
        """The next transfer is to `host[:port]`."""
        self._began = perf_counter()
        proxy = self._proxies.choose(host, self._began)
        if proxy != self._proxy:
            self._proxy = proxy
            self._curl.setopt(pycurl.PROXY, proxy)

    def is_refused(self, status: int) -> bool:
        """Whether the answer is the proxy's own, that asks for another login."""
        if status == REFUSED and self._passes_on():
            self._proxies.failed(self._proxy, self._began, perf_counter())
            return True
        self._proxies.worked(self._proxy, self._began)
        return False

    def blame(self, code: int, *, answered: bool) -> Reason | None:
        """A transfer failed with this code: why, if that is another reason than without proxy."""
        info = self._curl.getinfo
        facts = Facts(
            proxy=self._proxy,
            code=code,
            connected=bool(info(pycurl.CONNECT_TIME) or info(pycurl.REQUEST_SIZE)),
            answer=info(pycurl.HTTP_CONNECTCODE),
            socks=info(pycurl.PROXY_ERROR),
            answered=answered,
        )
        whose, reason = blame(facts)
        if whose is Blame.PROXY:
            self._proxies.failed(self._proxy, self._began, perf_counter())
        elif whose is Blame.UNSURE:
            self._proxies.doubted(self._proxy, self._began, perf_counter())
        return reason

    def hide_login(self, detail: str) -> str:
        """A message of this transfer's, without the login of its proxy."""
        return without_login_of(self._proxy, detail)

    def _passes_on(self) -> bool:
        """Whether the proxy sees the request. Within a tunnel a 407 is the host's affair."""
        url: str = self._curl.getinfo(pycurl.EFFECTIVE_URL)
        return url[:5].lower() == "http:" and self._proxy[:4].lower() == "http"
