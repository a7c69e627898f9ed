"""URLs of servers and their proxies. No message contains a password of a URL."""

import re
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from raft_exp.core.errors import ConfigError

_PASSWORD = re.compile(r"//[^/@\s]+@")


def parsed(text: str) -> SplitResult:
    """The parts of an http(s) URL. Raises ValueError for any other text."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no http(s) URL")
    parts.hostname.encode("idna")  # UnicodeError is a ValueError
    return parts


def proxy(url: str) -> str | None:
    """The proxy of the environment for a server, as a URL with name and password; None without one.

    Raises ConfigError for a proxy that is not http(s), which aiohttp would use as an HTTP proxy. aiohttp's own option
    trust_env would read the environment for every request, and would send passwords of ~/.netrc.
    """
    server, proxies = parsed(url), getproxies()
    scheme = next((name for name in (server.scheme, "all") if proxies.get(name)), None)
    if scheme is None or proxy_bypass(server.hostname or "") or proxy_bypass(server.netloc):
        return None
    address = proxies[scheme] if "://" in proxies[scheme] else f"http://{proxies[scheme]}"
    try:
        parsed(address)
    except ValueError:
        raise ConfigError(
            f"the environment variable {scheme}_proxy names no proxy that can be used (its value is not shown here); "
            "it must be http(s)://HOST:PORT, or add the server to no_proxy"
        ) from None
    return address


def without_password(text: str) -> str:
    """The text with name and password of every URL masked."""
    return _PASSWORD.sub("//***@", text)
