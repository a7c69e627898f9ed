"""Where the time of a training step goes: kernels by kind, the whole step, and the time the CPU needs to queue it.

    python benchmarks/step_kernels.py --accelerator gpu --model 3b [--variants eager "eager lean" ...] [--dropout 0.1]
    python benchmarks/step_kernels.py                                     # a small model on a CPU, to try the script

Random weights in Qwen2.5's shapes, LoRA r=16 on all linear layers, 8 PubMedQA rows a step, as in training.py, but in a
bare loop: forward, backward, clipping, fused AdamW. The variants run one after another in one process, with one model:

eager           PEFT's LoRA layers
eager lean      raft_exp's LoRA layers (training/adapter.py)
compiled        PEFT's LoRA layers in compiled decoder layers
compiled lean   raft_exp's LoRA layers in compiled decoder layers

For each: seconds of the first step (compilation), milliseconds of a step in a row of steps without a wait, milliseconds
until the CPU has queued a step on an idle GPU, peak memory, number of compilations, and by kind of kernel the
milliseconds and calls of a step (torch.profiler over `--steps` steps); on a CPU, of the operations of torch.
"""

import argparse
import gc
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import contenders
import shapes

if TYPE_CHECKING:
    from torch import nn

    from raft_exp.training.data import Batch

VARIANTS = ("eager", "eager lean", "compiled", "compiled lean")
_OTHER = "other"
_KINDS = {  # kind -> pattern of the names of its kernels (on a CPU: operations); the first that is found counts
    "attention": r"flash|fmha|attention|_row_by_row",
    "optimiser": r"adam|multi_tensor|_foreach|lpnorm|l2norm",
    "matrix products": r"gemm|nvjet|cutlass|xmma|splitk|cublas|aten::(add|b)?mm\b|aten::addmm_|aten::linear",
    "compiled": r"triton|fx_graph|compiledfx|cpp_fused",
    "loss": r"logsumexp|log_softmax|softmax|exp_kernel|log_kernel|aten::exp_|scatter|gather",
    "additions": r"functor_add|addfunctor|aten::add_?$",
    "multiplications": r"mulfunctor|aten::mul_?$",
    "copies and casts": r"copy|memcpy|memset|fill|cat|aten::(clone|contiguous|to|_to_copy|zero_)",
    "sums and means": r"reduce|aten::(mean|sum)",
}


def kind(name: str) -> str:
    """Returns the kind of a kernel or an operation."""
    return next((kind for kind, pattern in _KINDS.items() if re.search(pattern, name.lower())), _OTHER)


class Steps:
    """Optimiser steps of one model over batches of different lengths."""

    def __init__(self, model: "nn.Module", batches: "list[Batch]", gpu: bool) -> None:
        import torch

        from raft_exp.training.weights import weights

        self._model, self._batches, self.gpu, self._done = model, batches, gpu, 0
        self._learned = list(weights(model).values())
        self._optimizer = torch.optim.AdamW(self._learned, lr=contenders.RATE, weight_decay=0.0, fused=gpu or None)

    def step(self) -> None:
        """Queues one step."""
        import torch

        from raft_exp.training.loss import token_losses

        batch = self._batches[self._done % len(self._batches)]
        self._done += 1
        with torch.autocast("cuda" if self.gpu else "cpu", torch.bfloat16, enabled=self.gpu):
            losses = token_losses(self._model, batch)
        (losses.sum() / len(losses)).backward()
        torch.nn.utils.clip_grad_norm_(self._learned, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def wait(self) -> None:
        """Waits until the device has finished all steps."""
        import torch

        if self.gpu:
            torch.cuda.synchronize()


def seconds(steps: Steps, work: Callable[[], None], until_done: bool = True) -> float:
    """Returns the seconds of `work` on an idle device; with `until_done=False` those until it is queued."""
    steps.wait()
    start = time.perf_counter()
    work()
    if until_done:
        steps.wait()
    return time.perf_counter() - start


def measure(name: str, steps: Steps, count: int) -> None:
    """Prints the figures of a variant."""
    import torch
    from torch._dynamo.utils import counters

    counters.clear()
    if steps.gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    first = seconds(steps, steps.step)
    for _ in range(3):
        steps.step()
    queued = min(seconds(steps, steps.step, until_done=False) for _ in range(count))
    repeated = 2 * count

    def row() -> None:
        for _ in range(repeated):
            steps.step()

    whole = seconds(steps, row) / repeated
    peak = torch.cuda.max_memory_allocated() / 2**30 if steps.gpu else 0.0
    kernels = list(profiled(steps, count))
    total = sum(duration for _, duration in kernels) / count / 1e3
    compilations = counters["stats"].get("unique_graphs", 0)
    print(
        f"== {name}: step {1e3 * whole:.1f} ms, queued in {1e3 * queued:.1f} ms, kernels {total:.1f} ms "
        f"({len(kernels) / count:.0f} calls), first step {first:.1f} s, {compilations} compilations"
        + (f", peak {peak:.1f} GiB" if peak else ""),
        flush=True,
    )
    table(kernels, count)


def profiled(steps: Steps, count: int) -> Iterator[tuple[str, float]]:
    """Yields name and microseconds of each kernel (on a CPU: of each operation) of `count` steps."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    steps.wait()
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if steps.gpu else [])]) as profiler:
        for _ in range(count):
            steps.step()
        steps.wait()
    device = DeviceType.CUDA if steps.gpu else DeviceType.CPU
    for event in cast(list[Any], profiler.events()):
        if event.device_type != device or getattr(event, "is_user_annotation", False):
            continue
        if re.match(r"ProfilerStep|Optimizer\.|## Call|Torch-Compiled|Activity Buffer|Lazy Function", event.name):
            continue
        duration = event.device_time_total if steps.gpu else event.self_cpu_time_total
        if duration > 0:
            yield event.name, duration


def table(kernels: list[tuple[str, float]], count: int) -> None:
    """Prints milliseconds and calls of a step by kind, and the longest kernels."""
    kinds, names = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for name, duration in kernels:
        kinds[kind(name)].append(duration)
        names[name].append(duration)
    for what, durations in sorted(kinds.items(), key=lambda item: -sum(item[1])):
        print(f"   {what:<18}{sum(durations) / count / 1e3:>9.2f} ms{len(durations) / count:>8.0f} calls")
    for name, durations in sorted(names.items(), key=lambda item: -sum(item[1]))[:10]:
        line = f"{sum(durations) / count / 1e3:>8.2f} ms{len(durations) / count:>6.0f} x"
        print(f"      {line} [{kind(name)}] {name[:110]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the time of a training step goes.")
    parser.add_argument("--model", choices=shapes.MODELS, default="small")
    parser.add_argument("--accelerator", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--rows", choices=shapes.ROWS, default="pubmedqa")
    parser.add_argument("--batch", type=int, default=8, help="rows of a step")
    parser.add_argument("--steps", type=int, default=3, help="steps that are profiled")
    parser.add_argument("--dropout", type=float, default=0.0, help="of the adapter")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    import torch

    from raft_exp.training import adapter, compilation, data, layers, packed, weights

    torch.set_num_threads(options.threads)
    gpu = options.accelerator == "gpu"
    device = "cuda" if gpu else "cpu"
    start = time.perf_counter()
    network = shapes.model(options.model, options.accelerator).to(device)
    with tempfile.TemporaryDirectory() as folder:
        rows = shapes.rows(options.rows, 2 * options.batch, network.config.vocab_size, Path(folder))
        parts = [range(options.batch), range(options.batch, 2 * options.batch)]
        batches = [cast("Batch", contenders.on(data.pack(rows, part), device)) for part in parts]
    packed.use_packed_attention(network)
    lora = contenders.lora_config(options.dropout)
    model = weights.add_adapter(network, lora, seed=0, mixed=gpu).train()
    tokens = int(rows.lengths.sum()) / 2
    name = contenders.gpu_name() if gpu else "CPU"
    print(f"{name}, torch {torch.__version__}, model {options.model}, {tokens:.0f} tokens a step", flush=True)
    print(f"model made in {time.perf_counter() - start:.1f} s", flush=True)
    for variant in sorted(options.variants, key=VARIANTS.index):
        adapter.ON = (device,) if variant.endswith("lean") else ()
        torch._dynamo.reset()
        for layer in layers.layers(model):
            layer._compiled_call_impl = None
        if variant.startswith("compiled"):
            compilation.compile_layers(model)
        try:
            measure(variant, Steps(model, batches, gpu), options.steps)
        except Exception as error:  # the other variants are worth their time
            print(f"== {variant} failed: {type(error).__name__}: {' '.join(str(error).split())[:600]}", flush=True)
        model.zero_grad()
        gc.collect()


if __name__ == "__main__":
    main()
