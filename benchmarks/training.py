"""A training step beside named peers: `python benchmarks/training.py [--rows pubmedqa nq] [--repeats 5] [--json FILE]`.

Real tokens a second of LoRA training (r=16 on all linear layers, dropout 0) on random weights and random token ids in
rows as long as real ones. Contenders, each in a process of its own that lives through all repeats and works in turn:

raft_exp          the LightningModule and the loop of a study, as configured in conf/trainer
bare loop         a plain PyTorch loop over the same batches
TRL padded        SFTTrainer as it comes
TRL packing       SFTTrainer(packing=True), one pack at a time
TRL padding-free  SFTTrainer(padding_free=True)
TRL one by one    SFTTrainer with single rows and gradient accumulation: no padding, and no mask

A repeat is one pass over the same rows. On a CPU TRL runs with torch's scaled_dot_product_attention (its FlashAttention
needs a GPU) and without activation checkpointing, in float32, as ours. Peak is what the process's resident memory (on a
GPU: torch's) grew by in training. `--rows head` shows instead the largest memory that tensors as wide as the vocabulary
take in one step, with prompts of one length and of twice that. Goals: 1.5 (PubMedQA) and 2.0 (NQ) times TRL padded, 1.1
times TRL's best, 0.97 of the bare loop, 0.6 of TRL padded's peak, head memory flat within 5%.

On a GPU: `--accelerator gpu --model 3b|7b` (Qwen2.5's shapes, bfloat16); flops show the share of a measured peak.
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
from typing import Any

import contenders
import shapes

PACKAGES = ("torch", "transformers", "peft", "trl", "pytorch-lightning")


class Child:
    """A contender in its own process, waiting for its turn."""

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
        self._read()  # a pass to warm up

    def turn(self, word: str = "go") -> Any:
        """One repeat; `end` for the last figures."""
        assert self._process.stdin
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("FIGURES "):
                return json.loads(line.removeprefix("FIGURES "))
        raise SystemExit(f"a contender ended with status {self._process.wait()}")


def compare(rows: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Figures of every contender on rows of one sort."""
    children = {name: Child(name, options, rows) for name in options.contenders}
    turns: dict[str, list[Any]] = {name: [] for name in children}
    for _ in range(options.repeats):
        for name, child in children.items():
            turns[name].append(child.turn())
    found = []
    for name, child in children.items():
        speeds = [turn["tokens"] / turn["seconds"] for turn in turns[name]]
        last = child.turn("end")
        found.append(
            {"rows": rows, "contender": name, "best": max(speeds), "median": statistics.median(speeds)}
            | {"share": statistics.median(turn["share"] for turn in turns[name])}
            | {"seconds": [turn["seconds"] for turn in turns[name]], **last}
        )
    return found


def show(found: list[dict[str, Any]]) -> None:
    """A table: tokens a second and peak memory, and how much of each ours is."""
    ours = {figures["contender"]: figures for figures in found}.get("raft_exp", found[0])
    for one in found:
        ratios = [ours[key] / one[key] for key in ("median", "best")] + [ours["peak_mib"] / one["peak_mib"]]
        share = f"{one['share']:>8.1%}" if one.get("share") else ""
        speeds = "".join(f"{one[key]:>10,.0f}" for key in ("median", "best", "peak_mib"))
        print(
            f"{one['rows']:<9} {one['contender']:<17}{speeds}"
            + "".join(f"{ratio:>9.2f}" for ratio in ratios)
            + f"{one['loss']:>11.6f}{share}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="A training step beside named peers.")
    parser.add_argument("--rows", nargs="+", choices=[*shapes.ROWS, "head"], default=[*shapes.ROWS, "head"])
    parser.add_argument("--contenders", nargs="+", choices=contenders.CONTENDERS, default=list(contenders.CONTENDERS))
    parser.add_argument("--model", choices=shapes.MODELS, default="small")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8, help="rows of an optimiser step")
    parser.add_argument("--count", type=int, default=16, help="rows of a repeat")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES)
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads; {versions}")
    heads = ("tokens/s", "best", "peak MiB", "x median", "x best", "x peak", "first loss")
    print(f"{'rows':<9} {'ours over ...':<17}" + "".join(f"{head:>{9 + (n < 3)}}" for n, head in enumerate(heads)))
    found = []
    for rows in options.rows:
        part = contenders.head_memory(options) if rows == "head" else compare(rows, options)
        found += part
        if rows != "head":
            show(part)
    if options.json:
        options.json.write_text(
            json.dumps({"versions": versions, "threads": options.threads, "found": found}, indent=1)
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        contenders.run(*sys.argv[2:])
    else:
        main()
