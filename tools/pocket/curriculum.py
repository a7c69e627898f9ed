"""The stages of the pocket model's pre-training. Their order matters (see the model card).

The model learns from lists to select a document by the name in a question. In a list, sentences differ only in their
name and value. Without lists, the model copies any value of the right kind, whatever the name in the question.
"""

from tools.pocket.training import Stage
from tools.pocket.worlds import Plan

CURRICULUM = (
    # Copy and complete sentences of the context.
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
    # Select an entry of a list by its name.
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
    # Select a document by its name: first among few short documents, then among more and longer ones.
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

# With new optimizers and a decreasing learning rate: longer contexts, and random words between question and reply.
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
