"""The stages of the pocket model's training, in their order, which matters (see the model card).

Lists of sentences that differ in name and value alone teach the model to choose among documents by the name. From
documents alone it learns to copy any value of the kind asked for, and does not improve from there.
"""

from tools.pocket.training import Stage
from tools.pocket.worlds import Plan

CURRICULUM = (
    # Copying, and completing sentences of the context.
    Stage(
        450,
        128,
        72,
        Plan(
            documents=(2, 3),
            facts=(1, 2),
            same_kind=0.9,
            siblings=0.0,
            framed=0.25,
            recite=0.5,
            lists=0.05,
            listed=(2, 4),
            words=0.02,
        ),
    ),
    # Choosing entries by their names.
    Stage(
        150,
        128,
        72,
        Plan(
            documents=(2, 2),
            facts=(1, 2),
            same_kind=0.9,
            siblings=0.0,
            framed=0.25,
            recite=0.5,
            lists=0.75,
            listed=(2, 5),
            words=0.02,
        ),
    ),
    # Choosing among documents, at first few and short ones.
    Stage(
        250,
        256,
        36,
        Plan(
            documents=(2, 4),
            facts=(1, 3),
            same_kind=0.95,
            siblings=0.1,
            framed=0.4,
            recite=0.15,
            ask=0.6,
            lists=0.3,
            listed=(3, 8),
            linked=0.2,
            compare=0.1,
            bridge=0.1,
            words=0.06,
        ),
    ),
    Stage(
        350,
        384,
        24,
        Plan(
            documents=(2, 6),
            facts=(2, 4),
            same_kind=0.9,
            siblings=0.2,
            framed=0.5,
            recite=0.1,
            ask=0.55,
            lists=0.1,
            listed=(3, 10),
            linked=0.3,
            compare=0.15,
            bridge=0.1,
            words=0.06,
        ),
        rate=(1.0, 8 / 15),
    ),
)

# With new optimizers and a falling rate: longer contexts, and replies far from their question.
LAST = (
    Stage(
        330,
        512,
        18,
        Plan(
            documents=(2, 7),
            facts=(3, 4),
            same_kind=0.8,
            siblings=0.2,
            framed=0.7,
            recite=0.05,
            ask=0.45,
            lists=0.05,
            listed=(3, 10),
            linked=0.4,
            compare=0.15,
            bridge=0.15,
            words=0.06,
            filler=0.6,
        ),
        rate=(0.6, 0.02),
    ),
)
