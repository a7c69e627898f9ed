"""The server on a real socket, in a thread of the test."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from raft_exp.apps.serve.limits import Limits


@contextmanager
def served(asker: Any, limits: Limits, token: str | None = None, batch: int = 16, waiting: int = 64) -> Iterator[str]:
    """Yields the address."""
    pytest.importorskip("uvicorn", reason="the extra [serve]")
    from raft_exp.apps.serve.app import create
    from raft_exp.apps.serve.batch_queue import BatchQueue
    from raft_exp.apps.serve.server import Server, listening

    with listening("127.0.0.1", 0) as place:
        server = Server(create(asker, BatchQueue(asker, batch, waiting), limits, token), asker.name)
        thread = threading.Thread(target=lambda: server.run(sockets=[place]))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            yield f"http://127.0.0.1:{place.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
