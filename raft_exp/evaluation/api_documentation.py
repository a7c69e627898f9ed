"""Grades the API calls in replies by the documentation of the study's corpus (`corpus=apibench`)."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.api_calls import ApiCall, documented
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl
from raft_exp.corpora.apibench.documentation import Api, api_of
from raft_exp.evaluation.api_domain import DomainRule
from raft_exp.evaluation.api_strict import CallRule
from raft_exp.evaluation.metrics import ApiGrade, Profile


@dataclass(frozen=True)
class _Asked:
    """The values of a question that the rules need: its hub, its right calls, and the domain of its API."""

    hub: str
    gold: frozenset[ApiCall]
    domain: str


class ApiDocumentation:
    """The API documentation of all hubs of a study, and the study's test and validation questions.

    `passages`, `questions`: result folders of the stages `ingest` and `questions`. A reply is compared with the
    documentation of the hub that the question is about.
    """

    def __init__(self, passages: Path, questions: Path) -> None:
        collection, hubs = Passages(passages), defaultdict[str, list[Api]](list)
        for passage in collection:
            api = api_of(passage)
            hubs[api.hub].append(api)
        self._rules = {hub: (CallRule(apis), DomainRule(hub, apis)) for hub, apis in hubs.items()}
        held_out = (q for q in read_jsonl(questions / "questions.jsonl", Question) if q.split != "train")
        self._asked = {question.id: _asked(question, collection) for question in held_out}

    def grade(self, question_id: str, prediction: str, answered: str) -> ApiGrade:
        """Grades the API call in a reply to a question.

        `prediction`: the text after the answer marker. `answered`: the answer found in the reply, with or without a
        marker. Raises KeyError for a training question.
        """
        asked = self._asked[question_id]
        strict, by_domain = self._rules[asked.hub]
        return ApiGrade(
            call=strict.judge(prediction, asked.gold, asked.domain),
            lenient=strict.judge(answered, asked.gold, asked.domain),
            domain=by_domain.judge(answered, asked.domain),
        )


def documentation_for(profile: Profile, passages: Path | None, questions: Path | None) -> ApiDocumentation | None:
    """Returns the API documentation if a metric of `profile` compares API calls; else None.

    `passages`, `questions`: result folders of the stages `ingest` and `questions`. Raises DataError if a metric needs
    the documentation, but one of the folders is None.
    """
    if not profile.of_apis:
        return None
    if passages is None or questions is None:
        raise DataError(
            "the scores of API calls need the results of the stages ingest and questions, which the store no longer "
            "has; run the study again"
        )
    return ApiDocumentation(passages, questions)


def _asked(question: Question, collection: Passages) -> _Asked:
    documents = (api_of(collection[collection.find(name)]).call for name in question.gold)
    gold = frozenset(documented(call) for call in (*question.answers, *documents) if call)
    return _Asked(question.slices["hub"], gold, question.slices["domain"])
