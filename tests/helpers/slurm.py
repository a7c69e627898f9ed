"""A stub of SLURM: sbatch, srun, sacct and scancel as scripts that run job arrays on this machine.

`install(folder)` returns the PATH with these programs. Jobs start at once, all at the same time. The tests can kill a
task: its process id is in `folder`/jobs/<array>_<task>/pid.
"""

import os
import signal
import sys
import time
from pathlib import Path

_SBATCH = r"""
import os, re, subprocess, sys
from pathlib import Path

jobs, script = Path(__file__).parent / "jobs", Path(sys.argv[-1])
text = script.read_text()
number = next(str(n) for n in range(1, 10**6) if not list(jobs.glob(f"{n}_*")))
array = re.search(r"^#SBATCH --array=0-(\d+)", text, re.M)
tasks = range(int(array[1]) + 1) if array else [None]
output = re.search(r"^#SBATCH --output=(\S+)", text, re.M)[1].strip("'\"")
for task in tasks:
    name = number if task is None else f"{number}_{task}"
    (jobs / (name if array else f"{number}_x")).mkdir(parents=True)
    place = jobs / (name if array else f"{number}_x")
    more = {} if task is None else {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(task)}
    environment = {**os.environ, "SLURM_JOB_ID": number, **more}
    log = output.replace("%A_%a", name).replace("%j", name)
    command = f'bash "{script}" >> "{log}" 2>&1 & echo $! > "{place}/pid"; wait $!; echo $? > "{place}/status"'
    subprocess.Popen(
        ["bash", "-c", command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
print(f"Submitted batch job {number}")
"""
_SACCT = r"""
from pathlib import Path

print("JobID|State|NodeList")
for place in sorted((Path(__file__).parent / "jobs").iterdir()):
    status = place / "status"
    ended = status.read_text() if status.exists() else ""
    state = "RUNNING" if not ended else "COMPLETED" if int(ended) == 0 else "FAILED"
    print(f"{place.name.removesuffix('_x')}|{state}|here")
"""
_SCANCEL = r"""
import os, signal, sys, time
from pathlib import Path

for place in (Path(__file__).parent / "jobs").glob(f"{sys.argv[1]}*"):
    file = place / "pid"
    if place.name.removesuffix("_x") == sys.argv[1]:
        while not file.exists() or not file.read_text():
            time.sleep(0.01)
        try:
            os.killpg(os.getpgid(int(file.read_text())), signal.SIGKILL)
        except ProcessLookupError:
            pass
"""


def install(folder: Path) -> str:
    """Writes the programs into `folder`, and returns a PATH on which they come first."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs").mkdir()
    programs = {"sbatch": _SBATCH, "sacct": _SACCT, "scancel": _SCANCEL, "srun": "raise SystemExit('not used')\n"}
    for name, text in programs.items():
        (folder / name).write_text(f"#!{sys.executable} -S\n{text}")
        (folder / name).chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def kill(folder: Path, task: str) -> None:
    """Kills all processes of a task (`ARRAY_TASK`, or `JOB_x` for a job without an array)."""
    file = folder / "jobs" / task / "pid"
    while not file.exists() or not file.read_text():
        time.sleep(0.01)
    pid = int(file.read_text())
    os.killpg(os.getpgid(pid), signal.SIGKILL)
    (folder / "jobs" / task / "status").write_text("137")


def running(folder: Path) -> list[str]:
    """Returns the tasks whose processes run."""
    pids = {file.parent.name: file.read_text().strip() for file in (folder / "jobs").glob("*/pid")}
    return [task for task, pid in pids.items() if pid and runs(Path("/proc") / pid)]


def runs(process: Path) -> bool:
    """Whether the process of a folder in /proc runs; a zombie does not."""
    try:
        return (process / "stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
