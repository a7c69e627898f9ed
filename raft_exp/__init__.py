"""Compares RAG, plain supervised fine-tuning (SFT) and RAFT on your own documents, with statistical tests."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # before imports that an older Python cannot parse
    sys.exit("raft_exp needs Python 3.11 or newer, and this is %d.%d; use a newer Python" % sys.version_info[:2])  # noqa: UP031

__version__ = "0.1.0"

# The threads of torch (libgomp's) spin while they wait for each other. If other processes use the same cores, a
# spinning thread delays the threads that still compute: a step on two threads took ten times as long. A short spin
# costs nothing on idle cores. libgomp reads the variable when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
