"""One attempt: sends a request to a server and reads the response."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from raft_exp.engines.client import body
from raft_exp.engines.client.protocol import AttemptError, ChatConfig, Ends, ResponseReader, ServerReply
from raft_exp.engines.client.servers import Server

if TYPE_CHECKING:
    import aiohttp


class Sender:
    """Sends requests of one run over an HTTP session."""

    def __init__(self, session: "aiohttp.ClientSession", config: ChatConfig, key: str | None) -> None:
        self._session, self._config = session, config
        self._reader = ResponseReader(config, key)
        self._most = int(config.max_reply_megabytes * 1e6)

    async def __call__(self, server: Server, request: Mapping[str, object]) -> ServerReply:
        """Sends a request (fields of the body) and returns the reply. Raises AttemptError if no reply is usable."""
        import aiohttp

        url, began = f"{server.url}/chat/completions", time.monotonic()
        try:
            async with (
                asyncio.timeout(self._config.timeout),
                self._session.post(url, json=request, allow_redirects=False, proxy=server.proxy) as response,
            ):
                text = (await body.read(response, self._most)).decode("utf-8-sig")  # with or without a BOM
        except TimeoutError:
            reason = f"no complete reply within timeout={self._config.timeout:g} s"
            raise AttemptError(reason, "nothing", down=True) from None
        except aiohttp.ClientHttpProxyError as error:  # the error's own message contains the proxy's password
            ends: Ends = "run" if error.status == 407 else "nothing"
            raise AttemptError(f"the proxy returned status {error.status}", ends, down=True) from None
        except aiohttp.ClientConnectorError as error:  # its own text has "ssl:default" also for http
            reason = self._reader.cleaned(f"no connection to {error.host}:{error.port} ({error.os_error})")
            is_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
            remedy = "correct the proxy" if is_proxy else "start the server, or correct base_url"
            raise AttemptError(f"{reason}; {remedy}", "nothing", down=True) from None
        except (aiohttp.ClientError, OSError) as error:
            reason = self._reader.cleaned(str(error) or type(error).__name__)
            raise AttemptError(f"no connection ({reason})", "nothing", down=True) from None
        except body.TooLargeError:
            limit = f"max_reply_megabytes={self._config.max_reply_megabytes:g}"
            raise AttemptError(f"the reply is larger than {limit}", "nothing") from None
        except (UnicodeDecodeError, body.UnreadableError):
            raise AttemptError("the reply is not UTF-8 text, or cannot be decompressed", "nothing", down=True) from None
        return self._reader(response.status, response.headers, text, time.monotonic() - began)


def open_session(key: str | None) -> "aiohttp.ClientSession":
    """Returns an HTTP session without a limit on connections. It sends `key`, if not None, to every server."""
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        auto_decompress=False,  # `body.read` does, within its limit
        timeout=aiohttp.ClientTimeout(),  # no deadline here: `Sender` sets one for each attempt
        headers={"Accept-Encoding": "gzip, deflate"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
