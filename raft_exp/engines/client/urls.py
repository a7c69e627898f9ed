"""Reads the URLs of servers and proxies. Messages never contain the password of a URL."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from raft_exp.core.errors import ConfigError

_REMEDY = "must be http(s)://HOST/v1 or a similar URL, or a list of such URLs"
_PASSWORD = re.compile(r"//[^/@\s]+@")


def parsed(text: str) -> SplitResult:
    """Returns the parts of an http(s) URL. Raises ValueError for any other text."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("no http(s) URL")
    parts.hostname.encode("idna")  # UnicodeError is a ValueError
    return parts


def check_servers(servers: Sequence[str]) -> None:
    """Raises ValueError for an empty list, repeated URLs, a URL with a password or query, or one that is not http(s).

    The message never contains a secret.
    """
    if not servers:
        raise ValueError(f"base_url: got []; {_REMEDY}")
    for url in servers:
        if "@" in url or "?" in url:
            raise ValueError(
                "base_url: contains a user name, password or query (not shown here); remove them, and put the key into "
                "the environment variable that api_key_env names"
            )
        try:
            parsed(url)
        except ValueError:
            raise ValueError(f"base_url: got {url!r}; {_REMEDY}") from None
        if servers.count(url) > 1:
            raise ValueError(
                f"base_url: got {url!r} twice; name each server once, and raise in_flight for more requests"
            )


def proxy(url: str) -> str | None:
    """Returns the URL (with password) of the proxy that the environment sets for a server; None without a proxy.

    Raises ConfigError for a proxy that is not http(s), as aiohttp would treat it as an HTTP proxy. aiohttp's option
    trust_env is not used: it would read the environment for every request, and send passwords of ~/.netrc.
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
            f"the environment variable {scheme}_proxy has no usable proxy (its value is not shown here); set it to "
            "http(s)://HOST:PORT, or add the server to no_proxy"
        ) from None
    return address


def without_password(text: str) -> str:
    """Returns the text with the name and password of every URL replaced by ***."""
    return _PASSWORD.sub("//***@", text)
