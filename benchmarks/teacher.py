"""A teacher behind a server that replies in 50 ms: the time of a run compared with the ideal time.

    python benchmarks/teacher.py [--requests 10000] [--in-flight 256] [--delay 0.05]

Ideal: requests / in flight x delay. Measured: the chat client alone (three times; the median counts), then the stage
`targets` (prompts, ledger, gate, files), then the same stage once more with every answer in the ledger. The server runs
in a process of its own.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from scripted_requests import client_and_requests, start

sys.path.insert(0, str(Path(__file__).parents[1]))


def client_alone(url: str, requests: int, in_flight: int) -> float:
    client, chats = client_and_requests(url, requests, in_flight)

    async def run() -> int:
        return len([None async for _ in client.replies(chats, {"temperature": 0})])

    began = time.perf_counter()
    assert asyncio.run(run()) == requests
    return time.perf_counter() - began


def stage(folder: Path, url: str, requests: int, in_flight: int, seed: int) -> float:
    from tests.helpers.scripted_teacher import corpus
    from tests.helpers.stages import run

    ask = [
        *corpus(folder, requests * 5 // 4),
        "teacher=openai",
        f"teacher.base_url={url}",
        "teacher.model=scripted-1",
        "teacher.api_key_env=null",
        f"teacher.in_flight={in_flight}",
        f"seed={seed}",
    ]
    run(folder / "store", *ask, until="questions")
    began = time.perf_counter()
    run(folder / "store", *ask, until="targets")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--delay", type=float, default=0.05)
    arguments = parser.parse_args()
    n, ideal = arguments.requests, arguments.requests / arguments.in_flight * arguments.delay
    server, url = start(arguments.delay)
    with server, tempfile.TemporaryDirectory() as folder:
        client = sorted(client_alone(url, n, arguments.in_flight) for _ in range(3))
        found = {"ideal": ideal, "fastest client": client[0], "client": client[1], "slowest client": client[2]}
        found["stage"] = stage(Path(folder), url, n, arguments.in_flight, 0)
        found["stage, all in the ledger"] = stage(Path(folder), url, n, arguments.in_flight, 1)
        waited, _ = server.communicate()
    print(json.dumps({name: round(seconds, 3) for name, seconds in found.items()}))
    print(f"the server waited {float(waited) * 1000:.2f} ms before a reply, on average")
    print(f"ideal / client = {ideal / found['client']:.2f}, ideal / stage = {ideal / found['stage']:.2f}")


if __name__ == "__main__":
    main()
