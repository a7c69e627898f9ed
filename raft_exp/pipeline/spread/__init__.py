"""Spreads a stage over several processes: on this machine, as a SLURM array, or on a Ray cluster (`spread=...`).

A stage that can be spread has `Sharded` functions (`raft_exp.core.shards`). With `spread.tasks=N` each of N tasks
computes one shard of it into the store, under a key of its own. The study then joins the shards. The files and the key
of the stage do not depend on N.

- `raft_exp.pipeline.spread_settings`: the settings. They are outside this package, because the configuration of a study
  imports them, and this package imports the configuration.
- `shard_stage`: one shard of a stage as a stage with its own key.
- `driver`: starts the tasks of a stage, restarts a lost task, and joins the shards.
- `task`: the process of one task. `command`: starts this process.
- `local`, `slurm`, `ray`: the engines that run the tasks. Only the chosen engine is imported.
"""
