"""Weights & Biases (`logger=wandb`): the runs of a study, and their contents.

config.py   the settings of `logger`   study.py                  the settings of a study that are sent
tracker.py  what a process logs        runs.py                   how a run is started
results.py  the finished study         comparison.py, curves.py  the finished sweep
page.py, blocks.py                     report=wandb: a W&B Report
"""
