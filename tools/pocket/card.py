"""The model card of the pocket model: data, recipe and measured skills."""

from collections.abc import Sequence
from pathlib import Path

from tools.pocket.curriculum import CURRICULUM, LAST
from tools.pocket.skills import Skill
from tools.pocket.training import ADAM_RATE, MUON_RATE, Trainer


def write(folder: Path, trainer: Trainer, seed: int, skills: Sequence[Skill]) -> None:
    """Writes the model card, README.md, to the folder of the weights."""
    shape = trainer.network.shape
    size = sum(weight.numel() for weight in trainer.network.parameters())
    rows = "\n".join(
        f"| {skill.name} | {100 * skill.value:.0f} ({100 * skill.low:.0f}-{100 * skill.high:.0f}) "
        f"| {100 * skill.chance:.0f} |"
        for skill in skills
    )
    stages = "\n".join(
        f"{number}. {stage.steps} steps of {stage.rows} x {stage.length} tokens: documents {stage.plan.documents}, "
        f"facts {stage.plan.facts}, lists {stage.plan.lists}, comparisons {stage.plan.compare}, "
        f"bridges {stage.plan.bridge}, rate {stage.rate}"
        for number, stage in enumerate((*CURRICULUM, *LAST), start=1)
    )
    (folder / "README.md").write_text(
        _CARD.format(
            size=size / 1e6,
            layers=shape.layers,
            width=shape.width,
            heads=shape.heads,
            head_dim=shape.head_dim,
            vocabulary=shape.vocabulary,
            seed=seed,
            steps=trainer.steps,
            tokens=trainer.tokens / 1e6,
            muon=MUON_RATE,
            adam=ADAM_RATE,
            stages=stages,
            rows=rows,
            items=skills[0].items,
        ),
        encoding="utf-8",
    )


_CARD = """# pocket: a small reading model for the embedded study

Qwen3 architecture, {size:.1f} M parameters ({layers} layers, width {width}, {heads} heads of {head_dim},
{vocabulary} tokens), bfloat16 weights, context up to 2048 tokens (up to 512 in training). Made from this repository
alone with `python -m tools.pocket`.

The model was trained on the almanac's language, but on none of the almanac's facts. It answers questions about passages
in the prompt, without reasoning. Its purpose is to show and test fine-tuning recipes on a laptop. It is not useful for
any other text.

## Data
The data are generated: documents, questions, lists, repeated sentences and repeated random tokens. They share with
the almanac the syllables of names, the words for values and some of the sentence templates. They share no name, and
no other template (`both`, `study`, `practice` in `raft_exp/corpora/almanac/phrasing.py`).

The answers to questions have no reasoning and no quotes; fine-tuning with RAFT teaches them. In other exercises the
model repeats a sentence of the passages. The prompt names the topic of the sentence, or a question that the sentence
answers. Half of these sentences stand between RAFT's quotation markers, so that the model can write the markers.

## Recipe
Seed {seed}, {steps} steps, {tokens:.1f} M tokens, about half an hour on one CPU core.
Muon (rate {muon}) for the matrices, AdamW (rate
{adam}, betas 0.9 and 0.98) for the other weights. The loss has weight 1 for tokens that the context
determines, and 0.1 for all others. The last stage begins with new optimizers.

{stages}

From documents alone, the model learns to copy a value of the right kind, whatever the name in the question. It learns
to select by the name from lists, where sentences differ only in name and value. This skill transfers to documents.

The weights depend on the machine's arithmetic (bfloat16 products). The weights of the package were made twice on one
machine (AMD EPYC with AVX-512 bf16, torch 2.13, one thread), with equal bytes. On another machine expect the same
skills within their intervals, but other bytes.

## Skills
Exact replies in percent, with 95% intervals over {items} questions for each skill. The names are not in the training
data; the sentence templates are. Chance is the expected share for a random choice among the documents. The figures
are those of one pre-training run.

| skill | exact | chance |
|---|---|---|
{rows}
"""
