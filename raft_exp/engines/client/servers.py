"""The servers of one run: which of them can take the next request.

A server that fails gets one request at a time as a test, after a growing wait, while another server replies. After
its next response without a server error it gets requests as before. While no server replies, all servers get requests,
as a single server does.
"""

import math
import time
from collections.abc import Collection, Sequence

from raft_exp.engines.client import urls


class Server:
    """One server, with the state that its last responses show. Times are those of `time.monotonic`.

    Raises ConfigError if the environment sets an unusable proxy for this server.
    """

    def __init__(self, url: str) -> None:
        self.url, self.proxy = url, urls.proxy(url)
        self.replies = 0  # number of good replies
        self.failures = 0  # 1 after an error, and 1 more for each failed test; 0: the server replies
        self.tested = False  # whether a test request has no response yet
        self.rests_until = 0.0  # after a rate limit: no request before this time
        self._test_at = 0.0

    @property
    def down(self) -> bool:
        """Whether the last request got a server error, or no response."""
        return self.failures > 0

    @property
    def free(self) -> bool:
        """Whether the server replies and has no rate limit at this time."""
        return not self.down and self.rests_until <= time.monotonic()

    def responded(self) -> None:
        """Records a response that is no error of the server."""
        self.failures = 0

    def failed(self, wait: float) -> None:
        """Records an error of the server. The next test is after `wait` seconds.

        If the server is already down, only the error of a test counts. So the other requests that were open when the
        server failed do not count as failed tests.
        """
        if not self.down or self.tested:
            self.failures += 1
            self._test_at = time.monotonic() + wait

    def rest(self, seconds: float) -> None:
        """Records a rate limit: the server gets no request for `seconds`."""
        self.rests_until = max(self.rests_until, time.monotonic() + seconds)

    def seconds_to_test(self) -> float:
        """Returns the seconds until a server that is down may be tested; infinity while a test is open."""
        return math.inf if self.tested else self._test_at - time.monotonic()


class ServerPool:
    """The servers of a run."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = [Server(url) for url in servers]

    @property
    def single(self) -> bool:
        """Whether there is only one server."""
        return len(self.servers) == 1

    def other(self, server: Server, without: Collection[Server] = ()) -> bool:
        """Returns whether another server is free, apart from the servers `without`."""
        return any(one.free for one in self.servers if one is not server and one not in without)

    def wait(self, server: Server) -> float:
        """Returns the seconds until a server may get a new request; 0 or less: at once; infinity during a test."""
        rest = server.rests_until - time.monotonic()
        return max(rest, server.seconds_to_test()) if server.down and self.other(server) else rest
