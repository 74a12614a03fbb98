"""Who we say we are, from the options of the command line."""

from typing import Any


def identity_options(
    user_agents: str | None,
    header_pool: str | None,
    proxies: tuple[str, ...],
    proxy_file: str | None,
) -> dict[str, Any]:
    """What these options mean to `Settings`."""
    return {"proxies": proxies}
