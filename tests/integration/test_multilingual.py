"""Real questions in Chinese, Japanese, Arabic, Hindi and Thai, and some in Korean: search, leak guard and scores."""

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage, Question
from raft_exp.corpora.sentences import sentences_of
from raft_exp.evaluation.metrics import METRICS, Graded, number, profile
from raft_exp.retrieval import word_index
from raft_exp.retrieval.bm25 import bm25_ranker
from raft_exp.retrieval.filters import DistractorFilter
from raft_exp.retrieval.text import searched_text

SETS = ("cmrc2018_zh", "jsquad_ja", "arcd_ar", "xquad_hi", "iapp_th")
KOREAN = [
    ("ko1", "도서관은 기사 오를란이 설계했다. 1842년에 완성되었다.", "도서관은 누가 설계했는가?", "오를란"),
    ("ko2", "물레방아는 벨모르에서 19세기에 불탔다.", "물레방아가 불탄 도시는?", "벨모르"),
    ("ko3", "시장은 매년 봄에 열린다. 오를란도 시장을 찾았다.", "시장은 언제 열리는가?", "봄"),
]


def records(name: str, folder: Path) -> tuple[list[Passage], list[Question]]:
    if name == "korean":
        passages = [Passage(i, i, "", text, "", sentences_of(text), "") for i, text, *_ in KOREAN]
        return passages, [Question(i, question, [answer], [i], "train") for i, _, question, answer in KOREAN]
    rows = {}
    for kind in ("passages", "questions"):
        with gzip.open(folder / "multilingual" / name / "product_layout" / f"{kind}.jsonl.gz", "rt") as lines:
            rows[kind] = [json.loads(line) for line in lines]
    passages = [
        Passage(row["id"], row["document_id"], row["title"], row["text"], "", sentences_of(row["text"]), "")
        for row in rows["passages"]
    ]
    return passages, [Question(r["id"], r["question"], r["answers"], r["gold"], "train") for r in rows["questions"]]


@pytest.fixture(params=[*SETS, "korean"])
def corpus(request, test_data, tmp_path):
    passages, questions = records(request.param, test_data)
    write_passages(tmp_path, passages, any_language=True)
    index = tmp_path / "index"
    index.mkdir()
    word_index.write(index, map(searched_text, passages), any_language=True)
    return passages, questions, tmp_path


def test_bm25_finds_the_gold_as_bm25_over_the_words_of_icu_does(corpus):
    import bm25s
    from icu4py.breakers import WordBreaker

    passages, questions, folder = corpus
    questions = questions[:400]

    def icu(text: str) -> list[str]:
        return [word.lower() for word in WordBreaker(text, "en") if any(map(str.isalnum, word))]

    reference = bm25s.BM25()
    reference.index([icu(searched_text(passage)) for passage in passages], show_progress=False)

    def by_icu(question: Question) -> list[int]:
        words = [word for word in icu(question.question) if word in reference.vocab_dict]
        return np.argsort(-reference.get_scores(words), kind="stable")[:5].tolist() if words else []

    ranker = bm25_ranker(folder / "index", np.arange(len(passages)))

    def recall(found: list[list[int]]) -> float:
        pairs = zip(questions, found, strict=True)
        return sum(bool({passages[at].id for at in places} & set(q.gold)) for q, places in pairs) / len(questions)

    ours = recall([list(islice(ranker(question), 5)) for question in questions])
    assert ours >= recall([by_icu(question) for question in questions])
    assert ours > 0.85


def test_no_distractor_holds_the_answer(corpus):
    passages, questions, folder = corpus
    collection = Passages(folder)
    ranker = bm25_ranker(folder / "index", np.arange(len(passages)))
    searched = 0
    for question in questions[:150]:
        chosen = DistractorFilter(collection, same_document=True, answer_allowed=False)
        for ordinal in chosen.distractors(question, ranker(question), 3):
            text = "".join((passages[ordinal].title + passages[ordinal].text).split())
            for answer in question.answers:
                bare = "".join(answer.split())
                searched += 1
                if not bare.isascii() and len(bare) > 3:  # short ones stand inside of longer words
                    assert bare not in text, (question, passages[ordinal])
    assert searched


def test_right_replies_score_one_and_wrong_ones_nothing(corpus):
    passages, questions, _ = corpus
    texts = {passage.id: passage.text for passage in passages}
    normalize = profile("passages").normalize
    for question in questions[:200]:
        answer = question.answers[0]
        right = Graded([answer], answer, f"##Answer: {answer}", normalize, answer)
        for name in ("exact_match", "f1", "answer_in_reply", "rouge_l"):
            observe = METRICS[name].observe
            assert observe
            assert number(observe(right)) == pytest.approx(1), (name, answer)
            assert number(observe(Graded([answer], "Zqx", "##Answer: Zqx", normalize, "Zqx"))) == 0
        for sentence in sentences_of(texts[question.gold[0]]):
            if f" {answer} " in f" {sentence} ":
                reply = Graded([answer], sentence, f"##Answer: {sentence}", normalize, answer)
                observe = METRICS["answer_in_reply"].observe
                assert observe
                assert observe(reply) == 1
