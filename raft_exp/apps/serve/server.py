"""uvicorn, told where it is once it answers."""

import socket
from collections.abc import Sequence
from typing import Any

import uvicorn

from raft_exp.core.errors import ConfigError


def listening(host: str, port: int) -> socket.socket:
    """A socket on an address; before anything is loaded. Raises ConfigError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"port: got {port}; {host} cannot be listened on there ({told}); name another port=NUMBER"
        ) from None


class Server(uvicorn.Server):
    """Says where it answers."""

    def __init__(self, app: Any, name: str) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_keep_alive=15,
                timeout_graceful_shutdown=10,
                h11_max_incomplete_event_size=16_384,
                lifespan="on",
                http="h11",
                ws="none",
            )
        )
        self._name = name

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """uvicorn's hook."""
        await super().startup(list(sockets) if sockets else None)
        host, port = sockets[0].getsockname()[:2] if sockets else ("?", 0)
        shown = f"[{host}]" if ":" in host else host
        print(f"serving {self._name} on http://{shown}:{port} (the API: /v1; Ctrl-C ends it)", flush=True)
