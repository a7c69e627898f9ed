"""The console script `raft-exp`. It runs a study, or the command that its first argument names."""

import sys
from importlib import import_module

from raft_exp.core.processes import stoppable

COMMANDS = {
    "ask": "raft_exp.apps.ask.main",
    "export": "raft_exp.apps.export.main",
    "label": "raft_exp.apps.label.main",
    "paper": "raft_exp.apps.paper.main",
    "plan": "raft_exp.apps.plan.main",
    "publish": "raft_exp.apps.publish",
    "report": "raft_exp.apps.report.main",
    "serve": "raft_exp.apps.serve.main",
    "store": "raft_exp.apps.store",
}


def main() -> None:
    """Runs `raft-exp ask RUN ...` as `python -m raft_exp.ask RUN ...`, and other lines as `python -m raft_exp ...`."""
    command = COMMANDS.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if command:
        del sys.argv[1]
    with stoppable():
        import_module(command or "raft_exp.apps.cli").main()
