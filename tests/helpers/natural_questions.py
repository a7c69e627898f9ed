"""Natural Questions in tests: the corpus with its shipped settings, its files, and made records."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from raft_exp.core.records import Passage, Question
from raft_exp.corpora.context_corpus import ContextCorpus
from raft_exp.corpora.natural_questions import NaturalQuestions, NaturalQuestionsConfig

CONF = Path(__file__).parents[2] / "conf" / "corpus" / "natural_questions.yaml"
TWENTY = "nq-open-20_total_documents_gold_at_0.jsonl.gz"
Row = dict[str, Any]


def corpus(path: Path | None, seed: int = 0, **changes: object) -> NaturalQuestions:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return NaturalQuestions(NaturalQuestionsConfig(**{**settings, "path": path and str(path), **changes}), seed)


def split(source: ContextCorpus[Any], name: str) -> list[Question]:
    return [question for question in source.questions() if question.split == name]


def by_id(source: ContextCorpus[Any]) -> dict[str, Passage]:
    passages = list(source.passages())
    found = {passage.id: passage for passage in passages}
    assert len(found) == len(passages), "a passage comes once"
    assert all("".join(passage.sentences) == passage.text for passage in passages)
    return found


def read(path: Path) -> list[Row]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


TEXT = "<P> It rained . </P> <P> Ada , 36 , won the cup ( twice ) . She left . </P> <Ul> <Li> One cup </Li> </Ul>"
SPANS = [(0, 5), (5, 21), (21, 27)]


def made(name: int, long: int = 1, shorts: Iterable[tuple[int, int]] = ((6, 7),), said: str = "NONE") -> Row:
    """A small page; `long` is the number of the long answer's candidate, -1 for none."""
    start, end = (-1, -1) if long < 0 else SPANS[long]
    return {
        "example_id": name,
        "question_text": f"question {name}",
        "document_url": "https://en.wikipedia.org//w/index.php?title=Ada_%28cup%29&amp;oldid=1",
        "document_text": TEXT,
        "long_answer_candidates": [{"start_token": s, "end_token": e, "top_level": True} for s, e in SPANS],
        "annotations": [
            {
                "yes_no_answer": said,
                "long_answer": {"start_token": start, "end_token": end, "candidate_index": long},
                "short_answers": [{"start_token": s, "end_token": e} for s, e in shorts],
            }
        ],
    }


def dpr(question: str, *positive: Row, negative: int = 2) -> Row:
    negatives = [
        {"title": f"N{number}", "text": f"{question} not {number}", "score": 9.5} for number in range(negative)
    ]
    return {
        "dataset": "nq_train_psgs_w100",
        "question": question,
        "answers": ["Ada"],
        "positive_ctxs": list(positive),
        "negative_ctxs": [],
        "hard_negative_ctxs": negatives,
    }


GOLD = {"title": "Ada", "text": "It was long ago. Ada won the cup.", "score": 1000, "title_score": 1, "passage_id": "1"}
