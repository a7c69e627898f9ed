"""The contenders of training.py: each trains on the same rows and stops after every pass over them."""

import argparse
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapes

RATE = 1e-5


class Gate:
    """Measures passes over the rows, and waits for its turn between them."""

    def __init__(self, steps: int, tokens: int, accelerator: str) -> None:
        self._steps, self._tokens, self.gpu = steps, tokens, accelerator == "gpu"
        self.operations = 0.0  # of a pass, in seconds of the device's measured peak
        self._done, self._start, self.loss = 0, 0.0, float("nan")
        self._base = self._memory()

    def step(self) -> None:
        """Called behind every optimiser step; the first pass warms up."""
        self._done += 1
        if self._done % self._steps:
            return
        if self.gpu:
            import torch

            torch.cuda.synchronize()
        seconds = time.perf_counter() - self._start
        gc.collect()
        self._tell({"seconds": seconds, "tokens": self._tokens, "share": self.operations / seconds})
        if sys.stdin.readline() != "go\n":
            self._tell({"peak_mib": self._memory() - self._base, "base_mib": self._base, "loss": self.loss})
            os._exit(0)
        self._start = time.perf_counter()

    def _memory(self) -> float:
        if self.gpu:
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    @staticmethod
    def _tell(figures: dict[str, Any]) -> None:
        try:
            print("FIGURES " + json.dumps(figures), flush=True)
        except BrokenPipeError:  # nobody listens any more, and a study goes on without its logger
            os._exit(1)


@dataclass(frozen=True)
class Task:
    """What a contender is given."""

    model: Any  # without an adapter
    rows: Any
    batch: int
    accelerator: str
    gate: Gate
    folder: Path

    @property
    def epochs(self) -> int:
        return 1000  # more than there will be turns


def trainer_config(task: Task, **changes: Any) -> Any:
    """conf/trainer/cpu.yaml or gpu.yaml, for these rows."""
    import yaml

    from raft_exp.pipeline.config import conf_dir
    from raft_exp.training.config import TrainerConfig

    values: dict[str, Any] = {}
    for name in ("default", task.accelerator):
        values |= yaml.safe_load((conf_dir() / "trainer" / f"{name}.yaml").read_text())
    values.pop("defaults", None)
    threads = int(os.environ["OMP_NUM_THREADS"])
    fixed = {"batch_size": task.batch, "learning_rate": RATE, "threads": threads, "workers": 0}
    fixed |= {"accumulate": 1} if task.accelerator == "gpu" else {}
    config = TrainerConfig(**values | fixed | {"max_epochs": task.epochs, "checkpoint_every": 10**6} | changes)
    return config.resolved(str(task.model.dtype).removeprefix("torch."))


def adapted(task: Task, packing: bool = True) -> Any:
    """Our model with our adapter."""
    from raft_exp.training import packed, weights

    if packing:
        packed.use_packed_attention(task.model)
    return weights.add_adapter(task.model, lora_config(), seed=0)


def lora_config() -> Any:
    from raft_exp.training.config import LoraConfig

    return LoraConfig(r=16, alpha=32, dropout=0.0, target_modules="all-linear", rslora=False)


def ours(task: Task) -> None:
    """The loop of a study. Its logger is the gate."""
    from pytorch_lightning.loggers.logger import DummyLogger

    from raft_exp.training import loop
    from raft_exp.training.data import TrainingPlan

    class Turns(DummyLogger):
        def log_metrics(self, *arguments: Any, **_: Any) -> None:
            if task.gate.loss != task.gate.loss:
                task.gate.loss = arguments[0]["train/loss"]
            task.gate.step()

    config = trainer_config(task)
    plan = TrainingPlan.make(task.rows, 0, task.batch, task.epochs, -1)
    loop.fit(adapted(task), config, plan, type(task.rows)([], *[task.rows.ends[:0]] * 3), 0, task.folder, [Turns()])


def bare(task: Task) -> None:
    """A plain loop over the same batches."""
    import torch

    from raft_exp.training import data
    from raft_exp.training.loss import token_losses
    from raft_exp.training.weights import weights

    model = adapted(task).train()
    learned = list(weights(model).values())
    optimizer = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    plan = data.TrainingPlan.make(task.rows, 0, task.batch, task.epochs, -1)
    device = "cuda" if task.accelerator == "gpu" else "cpu"
    for step, numbers in enumerate(plan.steps):
        batch = on(data.pack(task.rows, numbers), device)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss = token_losses(model, batch).sum() / plan.supervised(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        found = loss.item()
        if not step:
            task.gate.loss = found
        task.gate.step()


def on(batch: Any, device: str) -> Any:
    if isinstance(batch, dict):
        return {name: on(value, device) for name, value in batch.items()}
    return batch.to(device) if hasattr(batch, "to") else batch


def trl(task: Task, **settings: Any) -> None:
    """SFTTrainer on the same rows, in the same order where it keeps one."""
    import datasets
    import peft
    import transformers
    import trl

    from raft_exp.models import loading as models

    class Turns(transformers.TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            task.gate.step()

        def on_log(self, *_: Any, logs: dict[str, Any] | None = None, **__: Any) -> None:
            if task.gate.loss != task.gate.loss and logs and "loss" in logs:
                task.gate.loss = logs["loss"]

    datasets.disable_progress_bars()
    tokenizer = models.load_tokenizer("asset:tiny")
    gpu = task.accelerator == "gpu"
    settings = {
        "per_device_train_batch_size": task.batch,
        "gradient_accumulation_steps": 1,
        "max_length": None,
        "gradient_checkpointing": False,
        "bf16": gpu,
        "use_cpu": not gpu,
        "learning_rate": RATE,
        "weight_decay": 0.0,
        "lr_scheduler_type": "constant",
        "num_train_epochs": task.epochs,
        "save_strategy": "no",
        "report_to": "none",
        "logging_steps": 10**9,
        "disable_tqdm": True,
        "output_dir": str(task.folder),
        "max_grad_norm": 1.0,
        "train_sampling_strategy": "sequential",
        "logging_first_step": True,
    } | settings
    lora = peft.LoraConfig(r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")
    trainer = trl.SFTTrainer(
        model=task.model,
        args=trl.SFTConfig(**settings),
        train_dataset=table(task),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[Turns()],
    )
    trainer.train()


def table(task: Task) -> Any:
    """The rows in the order of our plan, as a pre-tokenized data set."""
    import datasets

    from raft_exp.training.data import TrainingPlan

    order = [number for step in TrainingPlan.make(task.rows, 0, task.batch, 1, -1).steps for number in step]
    made = []
    for number in order:
        ids = task.rows.row(number).tolist()
        prompt = len(ids) - int(task.rows.completions[number])
        made.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return datasets.Dataset.from_list(made)


def trl_packing(task: Task) -> None:
    """Packs as long as the longest row: the dense mask of longer ones costs more."""
    longest = int(task.rows.lengths.max())
    trl(task, packing=True, max_length=longest, per_device_train_batch_size=1, gradient_accumulation_steps=10**4)


def trl_padding_free(task: Task) -> None:
    trl(task, padding_free=True)


def trl_one_by_one(task: Task) -> None:
    trl(task, per_device_train_batch_size=1, gradient_accumulation_steps=task.batch)


CONTENDERS: dict[str, Callable[[Task], None]] = {
    "raft_exp": ours,
    "bare loop": bare,
    "TRL padded": trl,
    "TRL packing": trl_packing,
    "TRL padding-free": trl_padding_free,
    "TRL one by one": trl_one_by_one,
}


def run(name: str, rows: str, model: str, accelerator: str, batch: str, count: str) -> None:
    """One contender, in this process."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    made = shapes.model(model, accelerator)
    with tempfile.TemporaryDirectory() as folder:
        encoded = shapes.rows(rows, int(count), made.config.vocab_size, Path(folder))
        _import(name)
        steps = 1 if name == "TRL packing" else int(count) // int(batch)
        gate = Gate(steps, int(encoded.lengths.sum()), accelerator)
        gate.operations = operations(made.requires_grad_(False), encoded) / measured_peak() if gate.gpu else 0.0
        CONTENDERS[name](Task(made, encoded, int(batch), accelerator, gate, Path(folder)))


def _import(name: str) -> None:
    """What a contender needs belongs to its base, not to its peak."""
    if name.startswith("TRL"):
        from trl import SFTTrainer  # noqa: F401
    else:
        import raft_exp.training.loop  # noqa: F401
    import peft  # noqa: F401


def operations(model: Any, rows: Any) -> float:
    """What a pass over the rows costs with a frozen base, without the adapter's few percent."""
    from raft_exp.training.data import TrainingPlan
    from raft_exp.training.speed import StepCost

    return StepCost.of(model)(TrainingPlan(rows, [list(range(len(rows)))]), 0)


def measured_peak() -> float:
    """Operations a second of a large 16-bit matrix product on this GPU."""
    import torch

    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for repeat in range(30):
        if repeat == 10:
            torch.cuda.synchronize()
            start = time.perf_counter()
        left @ right
    torch.cuda.synchronize()
    return 20 * 2 * 8192**3 / (time.perf_counter() - start)


def head_memory(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Our step with prompts of one length and of twice that: what tensors as wide as the vocabulary take at most."""
    import torch
    from live import Live

    from raft_exp.training import data
    from raft_exp.training.loss import token_losses

    found = []
    for stretch in (1, 2):
        base = shapes.model(options.model, options.accelerator)
        with tempfile.TemporaryDirectory() as folder:
            rows = shapes.rows("pubmedqa", options.batch, base.config.vocab_size, Path(folder), stretch)
            gate = Gate(1, int(rows.lengths.sum()), options.accelerator)  # nothing is timed here
            model = adapted(Task(base, rows, options.batch, options.accelerator, gate, Path(folder))).train()
            batch = on(data.pack(rows, range(options.batch)), "cuda" if options.accelerator == "gpu" else "cpu")
            with Live(base.config.vocab_size, {weight.data_ptr() for weight in model.parameters()}) as live:
                token_losses(model, batch).sum().backward()
        found.append({"rows": "head", "tokens": int(rows.lengths.sum()), "peak_mib": live.peak / 2**20})
        print(f"head      {found[-1]['tokens']:>8,} tokens, {found[-1]['peak_mib']:>8.1f} MiB at most", flush=True)
        del model, batch, base
        gc.collect()
        torch.manual_seed(0)
    print(f"head      {found[1]['peak_mib'] / found[0]['peak_mib']:.3f} times as much for prompts of twice the length")
    return found
