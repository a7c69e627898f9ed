"""`python -m raft_exp.serve RUN`: a finished run behind an OpenAI-compatible endpoint, with a page to ask it.

It retrieves before it answers, and says what it cites. It listens on this machine alone; for any other address it needs
a token, which its clients send as their API key.
"""

import argparse
import contextlib
import os
import re
from collections.abc import Sequence

from raft_exp.apps.arguments import needs_packages, one_line_errors, positive
from raft_exp.apps.ask.main import add_choices, opened
from raft_exp.core.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m raft_exp.serve", description=__doc__)
    add_choices(parser)
    parser.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    parser.add_argument("--port", type=int, default=8000, help="default: 8000; 0: any that is free")
    parser.add_argument(
        "--token-env", metavar="NAME", help="the NAME of the environment variable that holds the token of clients"
    )
    parser.add_argument("--batch", type=positive, default=16, help="questions answered together (default: 16)")
    parser.add_argument("--queue", type=positive, default=64, help="questions that may wait (default: 64)")
    parser.add_argument("--max-question", type=positive, default=4000, help="characters (default: 4000)")
    parser.add_argument("--max-body", type=positive, default=65536, help="bytes of a request (default: 65536)")
    parser.add_argument("--per-minute", type=positive, default=600, help="requests of a client (default: 600)")
    chosen = parser.parse_args(arguments)
    with one_line_errors():
        serve(chosen)


def serve(chosen: argparse.Namespace) -> None:
    """Loads the model and answers until it is stopped."""
    token = _token(chosen.host, chosen.token_env)
    needs_packages("serve", "fastapi", "uvicorn")
    from raft_exp.apps.serve.app import create
    from raft_exp.apps.serve.batches import Batches
    from raft_exp.apps.serve.limits import Limits
    from raft_exp.apps.serve.server import Server, listening

    with listening(chosen.host, chosen.port) as place:
        asker = opened(chosen)
        limits = Limits(chosen.max_body, chosen.max_question, chosen.per_minute)
        app = create(asker, Batches(asker, chosen.batch, chosen.queue), limits, token)
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended in good order by then
            Server(app, asker.name).run(sockets=[place])


def _token(host: str, name: str | None) -> str | None:
    """The token of clients; None on this machine alone. Raises ConfigError where one is needed and missing."""
    from raft_exp.apps.serve.limits import is_loopback

    if name is None:
        if is_loopback(host):
            return None
        raise ConfigError(
            f"host: got {host!r}, which others can reach; name an environment variable that holds a token for them: "
            "--token-env NAME"
        )
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name):
        raise ConfigError("token-env: must be the NAME of an environment variable, in capitals, not the token itself")
    token = os.environ.get(name, "")
    if len(token) < 16:
        raise ConfigError(f"token-env: the variable {name} holds {len(token)} characters; a token has 16 or more")
    return token
