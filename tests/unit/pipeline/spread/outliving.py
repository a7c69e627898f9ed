"""A task that sleeps: started as `raft_exp.pipeline.spread.task` is, and ends with its parent as that does."""

import sys
import time

from raft_exp.core.processes import end_with

end_with(int(sys.argv[4]))
print("ready", flush=True)
time.sleep(60)
