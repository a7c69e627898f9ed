"""RAFT's datasets: the passages of a context, the target of a row, the rendered rows and their audit.

A row passes through these files: `recipes.py` pairs a question with its passages and its target (a `RowSpec`), by the
rules of `contexts.py`; `rows.py` renders the prompt and the target; `audit.py` counts the rows; `writing.py` writes
them. The stages are in `training_stage.py` and `testing_stage.py`, and in `chat_dataset.py` for a user's own chat file.
The settings `dataset.*` are in `config.py`. docs/explanation/raft-data-sets.md states the rules.
"""
