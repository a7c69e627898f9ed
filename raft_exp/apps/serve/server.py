"""Runs uvicorn on a socket that is opened before the model is loaded, so that a used port is reported early."""

import socket
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from raft_exp.apps.serve.connections import ACCEPTED, LimitedProtocol, most_connections
from raft_exp.core.errors import ConfigError

_WAITING = 512  # connections that the system holds until they are accepted


def listening(host: str, port: int) -> socket.socket:
    """Opens a listening socket. Raises ConfigError for an address or port that cannot be used."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_WAITING)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"port: got {port}; the server cannot listen on {host}:{port} ({reason}); give another port=NUMBER or "
            "host=ADDRESS"
        ) from None


class Server(uvicorn.Server):
    """A uvicorn server that prints its address when it is ready."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",  # a warning for every odd request would fill the log
                access_log=False,
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=10,
                h11_max_incomplete_event_size=16_384,
                lifespan="on",
                http=LimitedProtocol,
                ws="none",
                backlog=ACCEPTED,
            )
        )
        self._name = name

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Starts the server and prints its address. Uvicorn calls this method."""
        LimitedProtocol.most = most_connections()
        await super().startup(list(sockets) if sockets else None)
        for place in sockets or ():
            place.listen(_WAITING)  # asyncio has set a smaller number: that of one turn of its loop
        host, port = sockets[0].getsockname()[:2] if sockets else ("?", 0)
        address = f"[{host}]" if ":" in host else host
        print(f"serving {self._name} on http://{address}:{port} (the API: /v1; Ctrl-C ends it)", flush=True)
