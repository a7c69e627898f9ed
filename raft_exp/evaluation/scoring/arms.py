"""How the replies of each arm of a stage are graded. All stages that grade arms use it: report, transfer and select."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from raft_exp.evaluation.api_documentation import documentation_for
from raft_exp.evaluation.metrics import Profile
from raft_exp.evaluation.scoring.replies import Grading
from raft_exp.evaluation.supporting_facts import SupportingFacts
from raft_exp.models.encoder import EncoderConfig
from raft_exp.prompts import ReplyFormat


class GradingSettings(Protocol):
    """The settings of a stage that change the grades of its arms."""

    @property
    def arms(self) -> Mapping[str, Mapping[str, object]]:
        """The arms: name -> {context, cot, ...}."""
        ...

    @property
    def reply_format(self) -> ReplyFormat:
        """The requested form of replies."""
        ...

    @property
    def refusal(self) -> str:
        """The text of a refusal in the study."""
        ...

    @property
    def encoder(self) -> EncoderConfig | None:
        """The sentence encoder, for metrics that compare vectors of texts."""
        ...

    @property
    def min_quote_words(self) -> int:
        """A quote of fewer words does not count as verbatim."""
        ...


def arm_gradings(
    settings: GradingSettings,
    profile: Profile,
    passages: Path | None,
    questions: Path | None,
    references: Mapping[str, str] | None = None,
) -> dict[str, Grading]:
    """Returns arm -> how its replies are graded, for all arms of `settings`.

    `passages`, `questions`: result folders of the stages `ingest` and `questions`. If one is None, the metrics of
    quotes are left out. `references`: question id -> its long reference, for metrics of wording. Raises DataError if
    `profile` has metrics of API calls, and `passages` or `questions` is None.
    """
    from raft_exp.models.similarity import TextVectors

    supporting = SupportingFacts(passages, questions) if passages and questions and profile.of_quotes else None
    apis = documentation_for(profile, passages, questions)
    vectors = TextVectors(settings.encoder) if settings.encoder else None
    return {
        name: Grading(
            profile,
            shown=arm.get("context") != "none",
            reply_format=settings.reply_format,
            reasons=bool(arm.get("cot")),
            refusal=settings.refusal,
            supporting=supporting,
            apis=apis,
            vectors=vectors,
            min_quote_words=settings.min_quote_words,
            references=references or {},
        )
        for name, arm in settings.arms.items()
    }
