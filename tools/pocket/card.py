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
{vocabulary} tokens), bfloat16 weights, context up to 2048 tokens (practised: up to 512). Made by this repository
alone: `python -m tools.pocket`.

It knows the almanac's language and nothing of its world: given passages it answers a question about them, outright. It
is meant for showing and testing what fine-tuning recipes do, on a laptop; it is of no use for any other text.

## Data
Practice worlds, generated: documents, questions, lists, sentences said again, random tokens said again. They share
with the almanac's own worlds the syllables of names, the words for values and part of the phrasing; never a name, and
not the rest of the phrasing (`both`, `study`, `practice` in `raft_exp/corpora/almanac/phrasing.py`).

Questions are always answered outright: no exercise reasons or quotes before it answers, this is left for RAFT to teach.
Apart from that it says sentences of the passages again, asked for by what they are about or by the question that they
would answer; half of those stand between RAFT's quotation marks, so that the marks are words that it can write.

## Recipe
Seed {seed}, {steps} steps, {tokens:.1f} M tokens, about half an hour on one CPU core.
Muon (rate {muon}) for the matrices, AdamW (rate
{adam}, betas 0.9 and 0.98) for the rest; loss on what can be foretold from the context, and on a tenth of all else.
The last stage begins with fresh optimizers.

{stages}

Documents alone teach it to copy a value of the kind that is asked for, whosever it is; what teaches it to go by the
name are bare lists in which nothing but the name tells the value. The lesson carries over to documents.

The weights depend on the machine's arithmetic (bfloat16 products): the shipped ones were made twice on one machine (AMD
EPYC with AVX-512 bf16, torch 2.13, one thread) and came out the same to the byte; on another machine expect these
skills, within their intervals, not these bytes.

## Skills
Exactly right, percent (95% interval, {items} questions each), on names that it has never met, in the phrasing of
practice; beside it what picking blindly among the documents would give. The intervals are over questions; one
pre-training run was measured.

| skill | right | chance |
|---|---|---|
{rows}
"""
