"""Makes the model of `model=pocket`: `python -m tools.pocket` (half an hour on one core).

Trains the model on generated data, measures its skills, and writes weights, tokenizer, configuration and model card.
"""

import argparse
import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "raft_exp" / "assets" / "pocket"


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and makes the model."""
    parser = argparse.ArgumentParser(prog="python -m tools.pocket", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="output folder (default: that of the package)")
    parser.add_argument("--seed", type=int, default=0, help="seed of data and weights (default: 0)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the training steps to run, 0 to 1")
    parser.add_argument("--items", type=int, default=300, help="number of questions for each skill (default: 300)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    make(options.out, options.seed, options.share, options.items)


def make(folder: Path, seed: int, share: float = 1.0, items: int = 300) -> None:
    """Trains the model, measures its skills with `items` questions each, and writes both to `folder`.

    `share`: share of the steps of each training stage to run, 0 to 1.
    """
    from tools.pocket import card, export, skills
    from tools.pocket.curriculum import CURRICULUM, LAST
    from tools.pocket.network import Shape
    from tools.pocket.training import Encoder, Trainer, use_one_thread

    use_one_thread()
    encoder = Encoder()
    trainer = Trainer(Shape(encoder.vocabulary), seed, encoder)
    for number, stages in enumerate((CURRICULUM, LAST)):
        trainer.begin(seed + 1000 * number)
        trainer.run([dataclasses.replace(stage, steps=max(1, round(stage.steps * share))) for stage in stages])
    export.export(trainer.network, folder)
    measured = skills.measure(trainer.network, encoder, items)
    (folder / "skills.json").write_text(
        json.dumps([dataclasses.asdict(skill) for skill in measured], indent=2) + "\n", encoding="utf-8"
    )
    card.write(folder, trainer, seed, measured)


if __name__ == "__main__":
    main()
