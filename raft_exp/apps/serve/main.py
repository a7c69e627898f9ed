"""`python -m raft_exp.serve RUN`: serves a finished run on an OpenAI-compatible endpoint, with a web page.

The server retrieves passages for each question, and returns citations with the answer. By default it listens on the
loopback address; any other address needs a token, which clients send as their API key.
"""

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from raft_exp.apps.arguments import Command, needs_packages, one_line_errors
from raft_exp.apps.ask.main import RunSettings, opened
from raft_exp.core.errors import ConfigError
from raft_exp.core.processes import StopSignal
from raft_exp.core.schema import Positive, config_dataclass


@config_dataclass
class ServeSettings(RunSettings):
    """The settings of `serve`."""

    host: str = Field(
        default="127.0.0.1",
        title="ADDRESS",
        description="the address to listen on; the default is for this machine only",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(default=8000, description="the port; 0: any free port")
    token_env: str | None = Field(
        default=None,
        title="NAME",
        description="the environment variable with the token of clients (default: no token)",
    )
    batch: Positive = Field(default=16, description="number of questions that are answered in one batch")
    queue: Positive = Field(default=64, description="number of questions that may wait")
    max_question: Positive = Field(default=4000, description="the longest question, in characters")
    max_body: Positive = Field(default=65536, description="the largest request, in bytes")
    per_minute: Positive = Field(default=600, description="largest number of requests of one client per minute")


_COMMAND = Command(
    form="python -m raft_exp.serve RUN [name=value ...]",
    about="""Serves a finished run behind an OpenAI-compatible endpoint, with a web page for questions.
It retrieves passages for each question, and returns citations with the answer. By default it listens on this machine
alone. Any other address needs a token, which clients send as their API key.""",
    words={"RUN": "the folder of a finished run"},
    settings=ServeSettings,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line. `arguments`: default sys.argv[1:]."""
    with one_line_errors():
        (run,), chosen = _COMMAND.read(arguments)
        serve(Path(run), chosen)


def serve(run: Path, chosen: ServeSettings) -> None:
    """Loads the model of a run, and serves it until the process is interrupted.

    Raises ConfigError for missing packages, an unusable address or token, and the errors of `opened`.
    """
    needs_packages("serve", "fastapi", "uvicorn")
    token = _token(chosen.host, chosen.token_env)
    from raft_exp.apps.serve.app import create
    from raft_exp.apps.serve.batch_queue import BatchQueue
    from raft_exp.apps.serve.limits import Limits
    from raft_exp.apps.serve.server import Server, listening

    with listening(chosen.host, chosen.port) as place:
        session = opened(run, chosen)
        limits = Limits(chosen.max_body, chosen.max_question, chosen.per_minute)
        app = create(session, BatchQueue(session, chosen.batch, chosen.queue), limits, token)
        with contextlib.suppress(KeyboardInterrupt, StopSignal):  # uvicorn has shut down before it raises them
            Server(app, session.name).run(sockets=[place])


def _token(host: str, name: str | None) -> str | None:
    """Returns the token that clients must send; None if `name` is None and the host is a loopback address.

    Raises ConfigError for another host without a token, and for a token that is missing or too short.
    """
    from raft_exp.apps.serve.limits import is_loopback

    if name is None:
        if is_loopback(host):
            return None
        raise ConfigError(
            f"host: got {host!r}, which other machines can reach; set token_env=NAME, the name of an environment "
            "variable with a token for clients"
        )
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name):
        raise ConfigError("token_env: must be the NAME of an environment variable, in capitals, not the token itself")
    token = os.environ.get(name, "")
    if len(token) < 16:
        raise ConfigError(
            f"token_env: the variable {name} holds {len(token)} characters; set it to a token of 16 or more"
        )
    return token
