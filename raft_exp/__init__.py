"""RAFT experiments: what do RAG, plain SFT and RAFT each buy on your documents, and is it real?"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # before anything that an older Python could not even read
    sys.exit("raft_exp needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2])  # noqa: UP031

__version__ = "0.1.0"
