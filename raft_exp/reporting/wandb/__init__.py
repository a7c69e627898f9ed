"""W&B, when `logger=wandb` asks for it: which runs a study has there, and what they show.

config.py   the settings          study.py     what W&B is told of a study
tracker.py  what a process logs   runs.py      how a run is started
results.py  the finished study    comparison.py, curves.py   a finished sweep
page.py, blocks.py                report=wandb: a W&B Report
"""
