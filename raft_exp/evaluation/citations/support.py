"""Which claims the cited passages support, by a model for natural language inference (NLI).

A claim is supported if one of its cited passages alone entails it, or if all of them together entail it. A cited
passage supports its claim in two cases. Either it alone entails the claim. Or no cited passage alone entails the claim,
all of them together entail it, and without this passage the others do not entail it. These rules are close to ALCE's
citation recall and precision (arXiv 2305.14627). docs/how-to/citations.md lists the differences.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from raft_exp.core.records import ContextPassage
from raft_exp.evaluation.citations.claims import Claim
from raft_exp.models.nli import Entails

Subset = tuple[int, ...]  # of the passages that a claim cites: places in the context


@dataclass
class CitedClaim:
    """A claim with the passages of the prompt, and the subsets of its cited passages that the model has read."""

    claim: Claim
    context: Sequence[ContextPassage]
    entailed: dict[Subset, bool] = field(default_factory=dict)
    cut: int = 0  # number of subsets whose text was too long for the model

    @property
    def supported(self) -> bool:
        """Whether the cited passages support the claim."""
        return any(self.entailed.values())

    @property
    def supporting(self) -> Subset:
        """The cited passages that support the claim, as places in the context."""
        cited = self.claim.passages
        alone = tuple(place for place in cited if self.entailed[place,])
        if alone or not self.supported:
            return alone
        return tuple(place for place in cited if not self.entailed[_without(cited, place)])

    def premise(self, subset: Subset) -> str:
        """Returns the titles and texts of the passages of a subset."""
        shown = (self.context[place] for place in subset)
        return "\n".join(f"{passage.title}\n{passage.text}".strip() for passage in shown)


def read(claims: Sequence[CitedClaim], entails: Entails) -> None:
    """Fills `entailed` and `cut` of each claim. Makes at most three calls of the model.

    The second call is for claims that no passage alone supports: their passages together. The third is for claims that
    only the passages together support: the passages without one of them.
    """
    _ask(((claim, (place,)) for claim in claims for place in claim.claim.passages), entails)
    together = [claim for claim in claims if not claim.supported and len(claim.claim.passages) > 1]
    _ask(((claim, claim.claim.passages) for claim in together), entails)
    _ask(_without_one(claim for claim in together if claim.supported), entails)


def _without_one(claims: Iterable[CitedClaim]) -> Iterator[tuple[CitedClaim, Subset]]:
    """Yields each claim with each of its subsets that lack one passage, except those that the model has read."""
    for claim in claims:
        for place in claim.claim.passages:
            if (rest := _without(claim.claim.passages, place)) not in claim.entailed:
                yield claim, rest


def _ask(questions: Iterable[tuple[CitedClaim, Subset]], entails: Entails) -> None:
    asked = list(questions)
    verdicts = entails([(claim.premise(subset), claim.claim.hypothesis) for claim, subset in asked])
    for (claim, subset), verdict in zip(asked, verdicts, strict=True):
        claim.entailed[subset] = verdict.entailed
        claim.cut += verdict.cut


def _without(cited: Subset, place: int) -> Subset:
    return tuple(other for other in cited if other != place)
