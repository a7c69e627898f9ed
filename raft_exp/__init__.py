"""RAFT experiments: what do RAG, plain SFT and RAFT each buy on your documents, and is it real?"""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036  # before anything that an older Python could not even read
    sys.exit("raft_exp needs Python 3.11 or newer, and this is %d.%d" % sys.version_info[:2])  # noqa: UP031

__version__ = "0.1.0"

# torch's threads (libgomp's) wait for one another by spinning, long enough to take the time that the awaited one needs
# where other work shares the cores: a step on two threads then took ten times as long. A short spin costs idle cores
# nothing. It is heard when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
