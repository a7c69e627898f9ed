"""Addresses of servers, and of the proxy on the way to them. A password in one is never told."""

import re
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from raft_exp.core.errors import ConfigError

_PASSWORD = re.compile(r"//[^/@\s]+@")


def parsed(text: str) -> SplitResult:
    """The parts of a web address. Raises ValueError for what is none, here and not where a connection is made."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no web address")
    parts.hostname.encode("idna")  # UnicodeError is a ValueError
    return parts


def proxy(url: str) -> str | None:
    """The proxy that the environment names for a server, as aiohttp takes it: with its name and password.

    Raises ConfigError for a kind that aiohttp would take for an HTTP proxy. It could look into the environment itself
    (trust_env), but would for every request, and would also send a password out of ~/.netrc.
    """
    server, found = parsed(url), getproxies()
    named = next((name for name in (server.scheme, "all") if found.get(name)), None)
    if named is None or proxy_bypass(server.hostname or "") or proxy_bypass(server.netloc):
        return None
    told = found[named] if "://" in found[named] else f"http://{found[named]}"
    try:
        parsed(told)
    except ValueError:
        raise ConfigError(
            f"the environment variable {named}_proxy names no proxy that can be used (its value is not shown here); "
            "it must be http(s)://HOST:PORT, or add the server to no_proxy"
        ) from None
    return told


def without_password(text: str) -> str:
    """A text whose addresses hold no name and password."""
    return _PASSWORD.sub("//***@", text)
