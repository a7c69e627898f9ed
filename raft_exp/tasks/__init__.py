"""Asks a language model to do a task for many items. The ledger stores each reply, so that it is paid once.

`task.py`: the prompt of a task. `model.py`: the settings of a model behind a server or in this process. `runner.py`
sends the requests of a job through a backend (`backends.py`), within the limits of `budget.py`, and stores the replies
(`ledger.py`). `replies.py` sends a request again after an unusable reply. `counts.py` and `files.py` write results.

The packages that use this one define their own tasks: `teachers` (targets and questions), `evaluation/judge`
(judgements). To add a model behind another API, write a `backends.Backend`, add its settings to `model.py`, and add a
case to `backends.open_backend`.
"""
