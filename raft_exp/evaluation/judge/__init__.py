"""A language model judges the replies of the arms. Its figures stand beside the metrics, and contain its errors.

The judge sees a question, one reply (or two), and what its task needs: the reference, or the passages of the prompt. It
never sees the name of an arm. Its replies are JSON objects that `gate.py` checks. A reply that cannot be used gives a
missing value with a reason, and never the value 0.

`config.py`: settings and tasks. `stage.py`, `pairs_stage.py`: the stages. `rows.py`: the files that they write.
`figures.py`: shares, comparisons and intervals.

To add a task, write conf/task/<name>.yaml (conf/task/judge_correct.yaml is the shortest example), and name it in a
study: `+task@evaluation.judge.tasks.NAME=<name>`.
"""
