"""Store keys of many studies, and the hashes of one small study's data files.

A key names a finished result in a user's store. A change of the code that leaves the settings alone must leave every
key alone, or each user computes everything again. Renew: `python -m tests.golden.keys` (README.md here says when).
"""

import hashlib
import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.stages import run, study_stages

FILE = Path(__file__).with_name("keys.json")

PROMPT_MODES = ("plain_text", "markdown", "yaml", "xml", "json")
EMBEDDED: dict[str, tuple[str, ...]] = {
    "quickstart": ("+experiment=quickstart",),
    "config": (),
    **{f"prompt_mode={mode}": (f"dataset.prompt_mode={mode}",) for mode in PROMPT_MODES},
    **{
        f"distractors={source}": (f"dataset.distractors={source}", f"evaluation.distractors={source}")
        for source in ("random", "bm25", "dense", "given")
    },
    "distractors=mixed": (
        "dataset.distractors=mixed",
        "dataset.mixed={random:0.5,bm25:0.25,dense:0.25}",
        "evaluation.distractors=mixed",
        "evaluation.mixed={random:0.5,bm25:0.5}",
    ),
    "context=retrieved": ("evaluation.context=retrieved", "evaluation.k=7"),
    "context=retrieved dense": ("evaluation.context=retrieved", "retriever=dense"),
    "context=given": ("evaluation.context=given",),
    "robustness": ("evaluation=robustness",),
    "without_gold": ("evaluation.without_gold=true",),
    "engine=vllm": ("engine=vllm",),
    "engine=vllm merged": ("engine=vllm", "engine.adapters=merged"),
    "engine=openai": ("engine=openai", "evaluation.arms=[base,rag]"),
    "arms": ("evaluation.arms=[base,rag,sft,sft_rag,raft,raft_no_cot,gpt_rag]",),
    **{
        f"teacher={name}": (f"teacher={name}",)
        for name in ("reference", "extractive", "openai", "vllm", "transformers")
    },
    "task=five_sentences": ("teacher=openai", "task@teacher.targets=five_sentences"),
    "no_gold_target=refuse": ("dataset.no_gold_target=refuse", "dataset.p=0.4", "dataset.partial_gold=true"),
    "prompt=json_reply": ("prompt=json_reply",),
    "trainer=gpu": ("trainer=gpu", "model=qwen2_5_3b"),
    "trainer=fsdp": ("trainer=fsdp", "model=llama3_1_8b", "lora.r=4"),
    "trainer=srun": ("trainer=srun", "model=qwen2_5_0_5b"),
    "lora=none": ("lora=none",),
    "metrics": ("evaluation.metrics=[semantic_similarity]",),
    "export": ("export.dataset=raft_base", "export.passages=true"),
    "until=ingest": ("until=ingest", "export.passages=true"),
    "paper/table1": ("+experiment=paper/table1",),
}
NQ = "{data}/natural_questions/lost-in-the-middle"
PUBLISHED: dict[str, tuple[str, ...]] = {
    "pubmedqa": ("+experiment=pubmedqa", "corpus.path={data}/pubmedqa", "model=tiny", "trainer=cpu"),
    "pubmedqa_notebook": ("+experiment=pubmedqa_notebook", "corpus.path={data}/pubmedqa", "model=tiny", "trainer=cpu"),
    "hotpotqa": ("+experiment=hotpotqa", "corpus.path={data}/hotpotqa", "model=tiny", "trainer=cpu"),
    "hotpotqa fullwiki": (
        "+experiment=hotpotqa",
        "corpus.path={data}/hotpotqa",
        "corpus.setting=fullwiki",
        "model=tiny",
        "trainer=cpu",
    ),
    "natural_questions": (
        "+experiment=natural_questions",
        f"corpus.path={NQ}/nq-open-20_total_documents_gold_at_0.jsonl.gz",
        "model=tiny",
        "trainer=cpu",
    ),
    "documents": (
        "+experiment=documents",
        "corpus.path={data}/documents/ok",
        "teacher=openai",
        "model=tiny",
        "trainer=cpu",
    ),
}

# Every stage up to the data sets and their exports, in seconds.
SMALL_STUDY = (
    "model=pocket",
    "corpus.num_entities=60",
    "evaluation.arms=[sft,raft]",
    "seed=3",
    "dataset.p=0.6",
    "dataset.num_distractors=2",
    "dataset.distractors=bm25",
    "dataset.max_items=20",
    "evaluation.max_items=10",
    "evaluation.distractors=bm25",
    "export.dataset=raft_base",
    "export.passages=true",
)


def keys(cases: dict[str, tuple[str, ...]], store: Path, data: str = "") -> dict[str, dict[str, str]]:
    """Case -> stage label -> key, without running any stage."""
    made = {}
    for name, overrides in cases.items():
        stages = study_stages(store, *(override.replace("{data}", data) for override in overrides))
        made[name] = {stage.label: stage.key for stage in stages}
    return made


def hashes(store: Path) -> dict[str, str]:
    """`label/file` -> sha256 of every data file that the small study makes, up to its exports."""
    made = run(store, *SMALL_STUDY)
    return {
        f"{label}/{file.relative_to(folder)}": hashlib.sha256(file.read_bytes()).hexdigest()
        for label, folder in made.items()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "manifest.json"
    }


def main() -> None:
    """Writes keys.json anew."""
    data = os.environ["RAFT_EXP_TEST_DATA"]
    with TemporaryDirectory() as folder:
        store = Path(folder)
        made = {
            "embedded": keys(EMBEDDED, store),
            "published": keys(PUBLISHED, store, data),
            "files": hashes(store),
        }
    FILE.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
