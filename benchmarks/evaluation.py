"""Answering the arms of one base model: `python benchmarks/evaluation.py [--questions 200] [--json FILE]`.

Base, SFT and RAFT of the embedded study (trained for `--steps` steps: enough to differ) answer the same test questions
with the same passages, by

    vllm, one engine      loaded once; adapters are added while it answers
    vllm, merged          one merged model after another, each with an engine of its own
    transformers, batch   the engine `transformers`, batches of up to 16,384 tokens
    transformers, single  the same, one prompt a call

Every contender runs in a process of its own with the same number of threads, in float32, `--repeats` times in turn; the
run with the smallest total stands in the table. Start-up is all that comes before the first prompt: imports, tokens of
the prompts, merging, loading, once or once a model. `same` is the share of answers that are the first contender's. The
model is small and the machine may have no GPU: what holds for a real model on a GPU are the kinds of cost, not the
ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from raft_exp.pipeline.config import conf_dir

CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vllm, one engine": ("vllm", {"adapters": "lora"}),
    "vllm, merged": ("vllm", {"adapters": "merged"}),
    "transformers, batch": ("transformers", {"batch_tokens": 16384}),
    "transformers, single": ("transformers", {"batch_tokens": 1}),
}
VLLM = {"tensor_parallel_size": 1, "enforce_eager": True, "gpu_memory_utilization": 0.3, "max_lora_rank": 32}
STUDY = (
    "+experiment=quickstart",
    "until=train",
    "~evaluation.conditions",
    "+evaluation.conditions={}",
    "corpus.num_entities=1000",
    "dataset.max_items=320",
    "trainer.validation_items=8",
    "evaluation.arms=[rag,sft_rag,raft]",
)
TRAINED = {"base": None, "sft": "train[closed_book]", "raft": "train[raft]"}
MAX_NEW_TOKENS = 64


def child(contender: str, plan: dict[str, str], threads: int) -> None:
    """One contender, in this process; prints its seconds and answers."""
    started = time.perf_counter()
    from raft_exp import engines
    from raft_exp.models.loading import ModelConfig

    name, changes = CONTENDERS[contender]
    own: dict[str, Any] = VLLM if name == "vllm" else {"accelerator": "cpu", "threads": threads}
    kinds = {"vllm": engines.VllmEngine, "transformers": engines.TransformersEngine}
    config = kinds[name](**{"name": name, **own, **changes})
    model = ModelConfig(**{**_values("model", "pocket"), "max_new_tokens": MAX_NEW_TOKENS})
    asked = {arm: list(_requests(model, Path(plan["dataset[test]"]), arm)) for arm in TRAINED}
    figures: dict[str, Any] = {"answering": 0.0, "prompt_tokens": 0, "new_tokens": 0, "answers": {}, "by_arm": {}}
    figures["start_up"] = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as room:
        for arm, stage in TRAINED.items():
            began = time.perf_counter()
            engine = engines.load(config, model, Path(plan[stage]) / "adapter" if stage else None, Path(room))
            loaded = time.perf_counter()
            answers = list(engine.generate(asked[arm]))
            figures["start_up"] += loaded - began
            figures["by_arm"][arm] = time.perf_counter() - loaded
            figures["answering"] += figures["by_arm"][arm]
            figures["prompt_tokens"] += sum(answer.prompt_tokens for answer in answers)
            figures["new_tokens"] += sum(answer.new_tokens for answer in answers)
            figures["answers"] |= {f"{arm} {answer.id}": answer.raw for answer in answers}
    print("\nFIGURES " + json.dumps(figures))


def _requests(model: Any, test: Path, arm: str) -> Iterator[Any]:
    from raft_exp import prompts
    from raft_exp.core.records import Example, read_jsonl
    from raft_exp.engines import Request
    from raft_exp.models import loading as models
    from raft_exp.models.tokens import encode_prompt

    prompt = prompts.PromptConfig(**{**_values("prompt", "default"), **_values("prompt", "brief")})
    tokenizer = models.load_tokenizer(model.name_or_path)
    for row in read_jsonl(test / "rows.jsonl", Example):
        messages = prompts.messages(prompt, "plain_text", row.question, row.context, arm == "raft")
        yield Request(row.id, encode_prompt(tokenizer, messages), messages)


def _values(group: str, option: str) -> dict[str, Any]:
    loaded: Any = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{option}.yaml"))
    return {name: value for name, value in loaded.items() if name != "defaults"}


def study(folder: Path, options: argparse.Namespace) -> dict[str, str]:
    """Trains the adapters; stage label -> folder."""
    more = (f"trainer.max_steps={options.steps}", f"trainer.threads={options.threads}", f"store={folder / 'store'}")
    command = [sys.executable, "-m", "raft_exp", *STUDY, *more, f"evaluation.max_items={options.questions}"]
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*command, f"hydra.run.dir={folder / 'run'}"], check=True, stdout=subprocess.DEVNULL)
    return {row["stage"]: row["path"] for row in json.loads((folder / "run" / "plan.json").read_text())}


def measure(contender: str, plan: dict[str, str], threads: int) -> dict[str, Any]:
    """The figures of one run of a contender."""
    command = [sys.executable, __file__, "--child", contender, json.dumps(plan), str(threads)]
    fixed = {"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, env=os.environ | fixed, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.rpartition("FIGURES ")[2])
    return figures


def table(best: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Prints a line for each contender; returns the rows."""
    first = next(iter(best.values()))
    heads = {"start-up": 10, "answering": 11, "total": 9, "answers/s": 11, "total x": 9, "answering x": 13, "same": 7}
    print(" " * 22 + "".join(f"{name:>{width}}" for name, width in heads.items()))
    rows = []
    for contender, figures in best.items():
        total, count = figures["start_up"] + figures["answering"], len(figures["answers"])
        same = sum(first["answers"][name] == text for name, text in figures["answers"].items()) / count
        ratios = total / (first["start_up"] + first["answering"]), figures["answering"] / first["answering"]
        print(
            f"{contender:<22}{figures['start_up']:>10.1f}{figures['answering']:>11.1f}{total:>9.1f}"
            f"{count / figures['answering']:>11.1f}{ratios[0]:>9.2f}{ratios[1]:>13.2f}{same:>7.3f}"
        )
        kept = {name: value for name, value in figures.items() if name != "answers"}
        rows.append({"contender": contender, **kept, "answers": count, "same": same})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Answering the arms of one base model, beside other ways.")
    parser.add_argument("--questions", type=int, default=200, help="test questions; each is answered by three arms")
    parser.add_argument("--steps", type=int, default=60, help="training steps of each adapter")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--study", type=Path, help="keep the trained study there, and reuse it")
    parser.add_argument("--only", choices=sorted(CONTENDERS), action="append")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS if name in (options.only or CONTENDERS)}
    with tempfile.TemporaryDirectory() as folder:
        plan = study(options.study or Path(folder), options)
        for _ in range(options.repeats):
            for contender, figures in runs.items():
                figures.append(measure(contender, plan, options.threads))
    best = {name: min(found, key=lambda one: one["start_up"] + one["answering"]) for name, found in runs.items()}
    rows = table(best)
    if options.json:
        settings = {"threads": options.threads, "repeats": options.repeats, "questions": options.questions}
        options.json.write_text(json.dumps({**settings, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
