"""A training step compared with other trainers.

    python benchmarks/training.py [--rows pubmedqa nq] [--repeats 5] [--json FILE]

Measures real tokens a second of LoRA training (r=16 on all linear layers, dropout 0) with random weights and random
token ids in rows of realistic lengths. Each contender runs in a process of its own:

raft_exp           the LightningModule and the loop of a study, as configured in conf/trainer
raft_exp compiled  the same with trainer.compile=true (not run by default)
bare loop          a plain PyTorch loop over the same batches
TRL padded         SFTTrainer with its defaults
TRL packing        SFTTrainer(packing=True), one pack at a time
TRL padding-free   SFTTrainer(padding_free=True)
TRL one by one     SFTTrainer with single rows and gradient accumulation: no padding, and no mask
TRL Liger          TRL padded with Liger's kernels (not run by default)

A repeat is one pass over the same rows. On a CPU the contenders take turns, and TRL runs in float32 with torch's
scaled_dot_product_attention (its FlashAttention needs a GPU), without activation checkpointing, as raft_exp does. Peak
is the growth of the process's resident memory (on a GPU: of torch's allocations) during training. `--rows head`
measures the largest memory of tensors as wide as the vocabulary in one step, with prompts of one and of twice the
length. Goals: 1.5 (PubMedQA) and 2.0 (NQ) times TRL padded, 1.1 times TRL's best, 0.97 of the bare loop, 0.6 of TRL
padded's peak, head memory equal within 5%.

On a GPU: `--accelerator gpu --model 3b|7b` (shapes of Qwen2.5, bfloat16; benchmarks/gpu.sh runs the whole table). The
contenders import together and train one after another, so that each has the GPU's whole memory. The last column is the
share of the measured matrix-product peak.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TypedDict

import contenders
import shapes

PACKAGES = ("torch", "transformers", "peft", "trl", "pytorch-lightning")


class Row(TypedDict, total=False):
    """A line of the table."""

    rows: str
    contender: str
    best: float  # tokens a second
    median: float
    share: float  # of the GPU's measured peak
    seconds: list[float]
    peak_mib: float
    base_mib: float  # before the training
    loss: float  # of the first step
    tokens: int


class ContenderError(Exception):
    """A contender ended early; the message is the reason."""


class Child:
    """A contender in its own process. It imports at once, trains after `start` and then waits for each turn."""

    def __init__(self, name: str, options: argparse.Namespace, rows: str) -> None:
        arguments = ["--child", name, rows, options.model, options.accelerator, str(options.batch), str(options.count)]
        environment = os.environ | {
            "OMP_NUM_THREADS": str(options.threads),
            "TOKENIZERS_PARALLELISM": "false",
            "TQDM_DISABLE": "1",
            "HF_HUB_OFFLINE": "1",
            "GOMP_SPINCOUNT": "2000",  # as in a study; for every contender
        }
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def turn(self, word: str = "go") -> contenders.Figures:
        """Figures of one pass: `start` builds the model and warms up, `go` is a repeat, `end` gives peak and loss."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ContenderError(f"ended with status {self._process.wait()}") from None
        for line in self._process.stdout:
            if line.startswith("FIGURES "):
                figures: contenders.Figures = json.loads(line.removeprefix("FIGURES "))
                return figures
            if line.startswith("FAILED "):
                raise ContenderError(line.removeprefix("FAILED ").strip())
        raise ContenderError(f"ended with status {self._process.wait()}")

    def wait(self) -> None:
        """Waits until the process has given back its memory."""
        self._process.wait()


def compare(rows: str, options: argparse.Namespace) -> list[Row]:
    """Figures of every contender on rows of one sort."""
    children = {name: Child(name, options, rows) for name in options.contenders}
    if options.accelerator == "cpu":  # in turns: other work of the machine then slows all alike
        return _compare(rows, children, options.repeats)
    return [row for name, child in children.items() for row in _compare(rows, {name: child}, options.repeats)]


def _compare(rows: str, children: dict[str, Child], repeats: int) -> list[Row]:
    turns: dict[str, list[contenders.Figures]] = {name: [] for name in children}
    table: list[Row] = []
    try:
        for child in children.values():
            child.turn("start")
        for _ in range(repeats):
            for name, child in children.items():
                turns[name].append(child.turn())
        for name, child in children.items():
            speeds = [turn["tokens"] / turn["seconds"] for turn in turns[name]]
            last = child.turn("end")
            child.wait()
            row: Row = {
                "rows": rows,
                "contender": name,
                "best": max(speeds),
                "median": statistics.median(speeds),
                "share": statistics.median(turn["share"] for turn in turns[name]),
                "seconds": [turn["seconds"] for turn in turns[name]],
                "peak_mib": last["peak_mib"],
                "base_mib": last["base_mib"],
                "loss": last["loss"],
            }
            table.append(row)
            if len(children) == 1:
                print(f"# {rows} {name}: {row['median']:,.0f} tokens/s, peak {row['peak_mib']:,.0f} MiB", flush=True)
    except ContenderError as error:
        if len(children) > 1:
            raise SystemExit(f"a contender failed: {error}") from error
        print(f"# {rows} {next(iter(children))} failed: {error}", flush=True)
    return table


def show(table: list[Row]) -> None:
    """Prints tokens a second and peak memory of each contender, and raft_exp's figures divided by them."""
    if not table:
        return
    ours = {row["contender"]: row for row in table}.get("raft_exp", table[0])
    for row in table:
        ratios = (ours["median"] / row["median"], ours["best"] / row["best"], ours["peak_mib"] / row["peak_mib"])
        share = f"{row['share']:>8.1%}" if row["share"] else ""
        speeds = "".join(f"{value:>10,.0f}" for value in (row["median"], row["best"], row["peak_mib"]))
        print(
            f"{row['rows']:<9} {row['contender']:<17}{speeds}"
            + "".join(f"{ratio:>9.2f}" for ratio in ratios)
            + f"{row['loss']:>11.6f}{share}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step compared with other trainers.")
    parser.add_argument("--rows", nargs="+", choices=[*shapes.ROWS, "head"], default=[*shapes.ROWS, "head"])
    usual = [name for name in contenders.CONTENDERS if name not in contenders.ON_REQUEST]
    parser.add_argument("--contenders", nargs="+", choices=contenders.CONTENDERS, default=usual)
    parser.add_argument("--model", choices=shapes.MODELS, default="small")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8, help="rows of an optimiser step")
    parser.add_argument("--count", type=int, default=16, help="rows of a repeat")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    device = contenders.gpu_name() if options.accelerator == "gpu" else platform.processor() or platform.machine()
    print(f"{device}, {options.threads} threads; {versions}; model {options.model}, batch {options.batch}", flush=True)
    heads = ("tokens/s", "best", "peak MiB", "x median", "x best", "x peak", "first loss")
    print(f"{'rows':<9} {'ours over ...':<17}" + "".join(f"{head:>{9 + (n < 3)}}" for n, head in enumerate(heads)))
    table: list[Row] = []
    for rows in options.rows:
        if rows == "head":
            figures = contenders.head_memory(options)
            table += [Row(rows=rows, tokens=row["tokens"], peak_mib=row["peak_mib"]) for row in figures]
        else:
            part = compare(rows, options)
            show(part)
            table += part
    if options.json:
        options.json.write_text(
            json.dumps({"device": device, "versions": versions, "threads": options.threads, "found": table}, indent=1)
        )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        contenders.run(*sys.argv[2:])
    else:
        main()
