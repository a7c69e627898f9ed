"""Weights & Biases (`logger=wandb`): the runs of a study, and their contents.

config.py                 the settings of `logger`
study.py                  the settings of a study that are sent
tracker.py                the values that a process logs
runs.py                   the start of a W&B run
results.py                the results of a finished study
comparison.py, curves.py  the results of a finished sweep
page.py, blocks.py        the W&B Report of `report=wandb`
"""
