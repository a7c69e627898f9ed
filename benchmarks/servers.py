"""Two servers that reply in 50 ms, one of which is killed half way: the rate compared with the ideal rate.

    python benchmarks/servers.py [--requests 2000] [--in-flight 8] [--delay 0.05]

Ideal: in flight / delay for each server that lives. The kill is SIGKILL, when half of the replies are there. Printed:
the rates before and after it as shares of the ideal rates, the requests without a reply, and the attempts beyond one a
request: the open requests of the killed server, and refused connections, which reach no server. Each server runs in a
process of its own. The rate of both servers with no kill is printed for comparison.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from scripted_requests import client_and_requests, start

sys.path.insert(0, str(Path(__file__).parents[1]))


def replies(urls: list[str], requests: int, in_flight: int, half: Callable[[], None]) -> tuple[list[float], int]:
    """Returns the time of each reply, first the start, and the number of attempts. Calls `half` half way."""
    client, chats = client_and_requests(urls, requests, in_flight)

    async def run() -> list[float]:
        times = [time.perf_counter()]
        async for _ in client.replies(chats, {"temperature": 0}):
            times.append(time.perf_counter())
            if len(times) == requests // 2:
                half()
        return times

    return asyncio.run(run()), client.sent


def measured(arguments: argparse.Namespace, kill: bool) -> dict[str, float]:
    n, one = arguments.requests, arguments.in_flight / arguments.delay  # `one`: ideal rate of one server
    with ExitStack() as stack:
        servers = [start(arguments.delay) for _ in range(2)]
        for process, _ in servers:
            stack.callback(process.kill)
        times, sent = replies(
            [url for _, url in servers], n, arguments.in_flight, servers[0][0].kill if kill else lambda: None
        )
    half = n // 2 - 1
    before, after = half / (times[half] - times[0]), (len(times) - 1 - half) / (times[-1] - times[half])
    return {
        "before": round(before / (2 * one), 3),
        "after": round(after / (one if kill else 2 * one), 3),
        "lost": n - (len(times) - 1),
        "attempts beyond one a request": sent - n,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--delay", type=float, default=0.05)
    arguments = parser.parse_args()
    print("share of the ideal rate, two servers:    ", json.dumps(measured(arguments, kill=False)))
    print("share of the ideal rate, one of them dies:", json.dumps(measured(arguments, kill=True)))


if __name__ == "__main__":
    main()
