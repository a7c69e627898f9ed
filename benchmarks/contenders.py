"""The contenders of training.py: each trains on the same rows and waits after every pass over them."""

import argparse
import gc
import json
import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import shapes

if TYPE_CHECKING:
    import datasets
    from peft import PeftModel
    from transformers import PreTrainedModel

    from raft_exp.training.config import LoraConfig, TrainerConfig
    from raft_exp.training.rows import Rows

RATE = 1e-5


class Figures(TypedDict):
    """What a contender reports: the first three after a pass, the others at its end."""

    seconds: float
    tokens: int
    share: float
    peak_mib: float
    base_mib: float
    loss: float


class HeadFigures(TypedDict):
    """The largest memory of tensors as wide as the vocabulary."""

    tokens: int
    peak_mib: float


class Gate:
    """Measures passes over the rows and waits for the next turn after each."""

    def __init__(self, steps: int, tokens: int, accelerator: str) -> None:
        self._steps, self._tokens, self.gpu = steps, tokens, accelerator == "gpu"
        self.operations = 0.0  # of a pass, as seconds at the device's measured peak
        self._done, self._start, self.loss = 0, 0.0, float("nan")
        if self.gpu:
            import torch

            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()  # the weights were made in float32
        self._base = self._memory()

    def step(self) -> None:
        """Called after every optimiser step; the first pass warms up."""
        self._done += 1
        if self._done % self._steps:
            return
        if self.gpu:
            import torch

            torch.cuda.synchronize()
        seconds = time.perf_counter() - self._start
        gc.collect()
        self._report({"seconds": seconds, "tokens": self._tokens, "share": self.operations / seconds})
        if sys.stdin.readline() != "go\n":
            self._report({"peak_mib": self._memory() - self._base, "base_mib": self._base, "loss": self.loss})
            os._exit(0)
        self._start = time.perf_counter()

    def _memory(self) -> float:
        if self.gpu:
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    @staticmethod
    def _report(figures: dict[str, float]) -> None:
        try:
            print("FIGURES " + json.dumps(figures), flush=True)
        except BrokenPipeError:  # the benchmark has ended; an error of a logger would not end the training
            os._exit(1)


@dataclass(frozen=True)
class Task:
    """Model, rows and settings of a contender."""

    model: "PreTrainedModel"  # without an adapter
    rows: "Rows"
    batch: int
    accelerator: str
    gate: Gate
    folder: Path

    @property
    def epochs(self) -> int:
        return 1000  # more than there are turns


def trainer_config(task: Task, **changes: object) -> "TrainerConfig":
    """The settings of conf/trainer/cpu.yaml or gpu.yaml, for these rows."""
    import yaml

    from raft_exp.pipeline.config import conf_dir
    from raft_exp.training.config import TrainerConfig

    values: dict = {}
    for name in ("default", task.accelerator):
        values |= yaml.safe_load((conf_dir() / "trainer" / f"{name}.yaml").read_text())
    values.pop("defaults", None)
    threads = int(os.environ["OMP_NUM_THREADS"])
    fixed = {"batch_size": task.batch, "learning_rate": RATE, "threads": threads, "workers": 0}
    fixed |= {"accumulate": 1} if task.accelerator == "gpu" else {}
    config = TrainerConfig(**values | fixed | {"max_epochs": task.epochs, "checkpoint_every": 10**6} | changes)
    return config.resolved("bfloat16" if task.accelerator == "gpu" else "float32")


def adapted(task: Task, packing: bool = True) -> "PeftModel":
    """The model with the adapter of a study."""
    from raft_exp.training import packed, weights

    if packing:
        packed.use_packed_attention(task.model)
    return weights.add_adapter(task.model, lora_config(), seed=0, mixed=task.accelerator == "gpu")


def lora_config(dropout: float = 0.0) -> "LoraConfig":
    from raft_exp.training.config import LoraConfig

    return LoraConfig(r=16, alpha=32, dropout=dropout, target_modules="all-linear", rslora=False)


def ours(task: Task, **changes: object) -> None:
    """The loop of a study; its tracker calls the gate after each step."""
    from raft_exp.core import tracking
    from raft_exp.training import loop
    from raft_exp.training.data import TrainingPlan

    class Turns(tracking.NoTracker):
        def log_figures(self, loggers, figures, step):
            if task.gate.loss != task.gate.loss:
                task.gate.loss = figures["train/loss"]
            task.gate.step()
            return True

    tracking.activate(Turns())
    config = trainer_config(task, **changes)
    plan = TrainingPlan.make(task.rows, 0, task.batch, task.epochs, -1)
    loop.fit(adapted(task), config, plan, type(task.rows)([], *[task.rows.ends[:0]] * 3), 0, task.folder, [])


def compiled(task: Task) -> None:
    ours(task, compile=True)


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
        value = loss.item()
        if not step:
            task.gate.loss = value
        task.gate.step()


def on(batch, device: str):
    """The batch with its tensors on the device."""
    if isinstance(batch, dict):
        return {name: on(value, device) for name, value in batch.items()}
    return batch.to(device) if hasattr(batch, "to") else batch


def trl(task: Task, **settings: object) -> None:
    """SFTTrainer on the same rows, in the same order unless it packs them."""
    import datasets
    import peft
    import transformers
    import trl

    from raft_exp.models.loading import load_tokenizer

    class Turns(transformers.TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            task.gate.step()

        def on_log(self, *_: object, logs: dict[str, float] | None = None, **__: object) -> None:
            if task.gate.loss != task.gate.loss and logs and "loss" in logs:
                task.gate.loss = logs["loss"]

    datasets.disable_progress_bars()
    tokenizer = load_tokenizer("asset:tiny")
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


def table(task: Task) -> "datasets.Dataset":
    """The rows in the order of the training plan, as a pre-tokenized data set."""
    import datasets

    from raft_exp.training.data import TrainingPlan

    order = [number for step in TrainingPlan.make(task.rows, 0, task.batch, 1, -1).steps for number in step]
    examples = []
    for number in order:
        ids = task.rows.row(number).tolist()
        prompt = len(ids) - int(task.rows.completions[number])
        examples.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    return datasets.Dataset.from_list(examples)


def trl_packing(task: Task) -> None:
    """Packs as long as the longest row: the dense mask of longer ones costs more."""
    longest = int(task.rows.lengths.max())
    trl(task, packing=True, max_length=longest, per_device_train_batch_size=1, gradient_accumulation_steps=10**4)


def trl_padding_free(task: Task) -> None:
    trl(task, padding_free=True)


def trl_one_by_one(task: Task) -> None:
    trl(task, per_device_train_batch_size=1, gradient_accumulation_steps=task.batch)


def trl_liger(task: Task) -> None:
    trl(task, use_liger_kernel=True)


CONTENDERS: dict[str, Callable[[Task], None]] = {
    "raft_exp": ours,
    "raft_exp compiled": compiled,
    "bare loop": bare,
    "TRL padded": trl,
    "TRL packing": trl_packing,
    "TRL padding-free": trl_padding_free,
    "TRL one by one": trl_one_by_one,
    "TRL Liger": trl_liger,
}
ON_REQUEST = ("raft_exp compiled", "TRL Liger")


def run(name: str, rows: str, model: str, accelerator: str, batch: str, count: str) -> None:
    """Runs one contender in this process: imports, waits for `start`, then trains until the benchmark ends it."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        _import(name)
        if sys.stdin.readline() != "start\n":
            return
        network = shapes.model(model, accelerator)
        with tempfile.TemporaryDirectory() as folder:
            encoded = shapes.rows(rows, int(count), network.config.vocab_size, Path(folder))
            steps = 1 if name == "TRL packing" else int(count) // int(batch)
            peak = measured_peak() if accelerator == "gpu" else math.inf
            gate = Gate(steps, int(encoded.lengths.sum()), accelerator)
            gate.operations = operations(network.requires_grad_(False), encoded) / peak
            CONTENDERS[name](Task(network, encoded, int(batch), accelerator, gate, Path(folder)))
    except Exception as error:
        print(f"FAILED {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)
        raise


def gpu_name() -> str:
    """The name of the first GPU."""
    import torch

    return torch.cuda.get_device_name(0)


def _import(name: str) -> None:
    """Imports what the contender needs, so that it counts for the base memory and not for the peak."""
    import peft  # noqa: F401
    import transformers.models.llama.modeling_llama
    import transformers.models.qwen2.modeling_qwen2  # noqa: F401

    if name.startswith("TRL"):
        from trl import SFTTrainer  # noqa: F401
    else:
        import raft_exp.training.loop  # noqa: F401


def operations(model: "PreTrainedModel", rows: "Rows") -> float:
    """Operations of a pass over the rows with a frozen base, without the adapter's few percent."""
    from raft_exp.training import speed
    from raft_exp.training.data import TrainingPlan

    return speed.operations(model, TrainingPlan(rows, [list(range(len(rows)))]))


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


def head_memory(options: argparse.Namespace) -> list[HeadFigures]:
    """The largest memory of tensors as wide as the vocabulary in a step, for prompts of one and of twice the length."""
    import torch
    from live import Live

    from raft_exp.training import data
    from raft_exp.training.loss import token_losses

    figures: list[HeadFigures] = []
    for stretch in (1, 2):
        base = shapes.model(options.model, options.accelerator)
        with tempfile.TemporaryDirectory() as folder:
            rows = shapes.rows("pubmedqa", options.batch, base.config.vocab_size, Path(folder), stretch)
            gate = Gate(1, int(rows.lengths.sum()), options.accelerator)  # nothing is timed here
            model = adapted(Task(base, rows, options.batch, options.accelerator, gate, Path(folder))).train()
            batch = on(data.pack(rows, range(options.batch)), "cuda" if options.accelerator == "gpu" else "cpu")
            with Live(base.config.vocab_size, {weight.data_ptr() for weight in model.parameters()}) as live:
                token_losses(model, batch).sum().backward()
        figures.append({"tokens": int(rows.lengths.sum()), "peak_mib": live.peak / 2**20})
        print(f"head      {figures[-1]['tokens']:>8,} tokens, {figures[-1]['peak_mib']:>8.1f} MiB at most", flush=True)
        del model, batch, base
        gc.collect()
        torch.manual_seed(0)
    ratio = figures[1]["peak_mib"] / figures[0]["peak_mib"]
    print(f"head      {ratio:.3f} times as much for prompts of twice the length", flush=True)
    return figures
