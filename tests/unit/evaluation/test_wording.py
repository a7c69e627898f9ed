"""BLEU, ROUGE and chrF equal sacrebleu's and rouge-score's own figures, of every bootstrap sample too."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from raft_exp.core.records import Target
from raft_exp.evaluation import long_text
from raft_exp.evaluation.metrics import METRICS, WORDING, Graded, profile
from raft_exp.evaluation.scoring import comparisons, summary
from raft_exp.prompts import parse
from tests.helpers.scores import asked, scored

WORDS = st.sampled_from(["Velmor", "lies", "on", "the", "Ost,", "12,5", "it's", "(1802)!", "\u6771\u4eac", "a-b"])
TEXT = st.lists(WORDS, max_size=7).map(" ".join)
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=6)
FORM = "##Reason: {} ##Answer: yes"


def of_corpus(metric, rows, samples):
    """The metric's figures (percent) of samples, each a list of the counts of the rows (text, reference, reference)."""
    graded = [Graded([one, other], text, text, profile("own").normalize) for text, one, other in rows]
    observe = METRICS[metric].observe
    assert observe is not None
    observed = [observe(row) for row in graded]
    return 100 * METRICS[metric].aggregate(observed, np.array(samples, dtype=np.int64))


@settings(deadline=None)  # the first example imports sacrebleu
@given(ROWS, st.data())
def test_bleu_and_chrf_of_every_sample_equal_sacrebleu(rows, data):
    counts = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)).filter(any)
    samples = data.draw(st.lists(counts, min_size=1, max_size=3))
    for metric, scorer in (("bleu", BLEU(force=True)), ("chrf", CHRF())):
        wanted = []
        for sample in samples:
            drawn = [row for row, count in zip(rows, sample, strict=True) for _ in range(count)]
            texts, *references = zip(*drawn, strict=True)
            wanted.append(scorer.corpus_score(list(texts), [list(column) for column in references]).score)
        assert of_corpus(metric, rows, samples) == pytest.approx(wanted, abs=1e-9), metric


def articles(test_data, count=200):
    """(text, long answer) of real articles: the last section of the abstract stands for the reasoning of a reply."""
    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    pairs = [(record["CONTEXTS"][-1], record["LONG_ANSWER"]) for record in records.values()]
    assert len(pairs) >= count
    return pairs[:count]


def replies_to_articles(pairs):
    examples = [asked(number, "yes") for number in range(len(pairs))]
    references = {f"q{number}": reference for number, (_, reference) in enumerate(pairs)}
    replies = [FORM.format(text) for text, _ in pairs]
    return scored(examples, replies, "pubmedqa", reference="long_answer", references=references)


@pytest.mark.slow
def test_the_figures_of_200_real_articles_equal_those_of_sacrebleu_and_rouge_score(test_data):
    pairs = articles(test_data)
    texts, references = (list(column) for column in zip(*pairs, strict=True))
    arm = replies_to_articles(pairs)
    found = summary(arm.observed, WORDING, 0)["metrics"]
    assert found["bleu"]["value"] == pytest.approx(BLEU().corpus_score(texts, [references]).score / 100, abs=1e-12)
    assert found["chrf"]["value"] == pytest.approx(CHRF().corpus_score(texts, [references]).score / 100, abs=1e-12)
    scores = [
        RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, text)
        for text, reference in zip(texts, references, strict=True)
    ]
    for metric, own in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        wanted = [score[own].fmeasure for score in scores]
        assert found[metric]["value"] == pytest.approx(np.mean(wanted), abs=1e-12)
        assert [row["metrics"][metric] for row in arm.rows] == wanted
    assert all(0 < figure["low"] < figure["value"] < figure["high"] < 1 for figure in found.values())


def test_a_question_without_a_long_reference_is_left_out_of_the_wording_alone():
    examples = [asked(number, "yes") for number in range(3)]
    replies = [FORM.format("the town lies on the Ost"), FORM.format("no idea"), None]
    references = {"q0": "the town lies on the Ost", "q2": "a mill"}
    arm = scored(examples, replies, "pubmedqa", reference="target", references=references)
    assert arm.observed["rouge_1"] == [1.0, None, 0.0], "a missing reply counts as wrong, a missing reference does not"
    assert ["rouge_1" in row["metrics"] for row in arm.rows] == [True, False, True]
    assert ["long_reference" in row for row in arm.rows] == [True, False, True]
    figures = summary(arm.observed, ["rouge_1", "accuracy"], 0)["metrics"]
    assert figures["rouge_1"]["value"] == 0.5
    assert figures["accuracy"]["value"] == pytest.approx(2 / 3)
    other = scored(examples, [FORM.format("a mill")] * 3, "pubmedqa", reference="target", references=references)
    own = profile("pubmedqa", reference="target")
    rows = {row["metric"]: row["difference"] for row in comparisons("a", {"a": other, "b": arm}, own, 0)}
    assert rows["rouge_1"] == pytest.approx(0.5 - 0.5)
    assert rows["accuracy"] == pytest.approx(1 / 3)


def test_with_labels_the_wording_is_that_of_the_reasoning_and_an_arm_without_reasoning_has_none():
    references = {"q0": "the town lies on the Ost"}
    for said, found in (
        ("##Reason: the town lies ##begin_quote## on the Ost ##end_quote## ##Answer: no", 1.0),
        ("the town lies on the Ost", 1.0),  # of another form
        ("##Answer: the town lies on the Ost", 1.0),
        ("##Answer: yes", 0.0),
    ):
        arm = scored([asked(0, "yes")], [said], "pubmedqa", reference="target", references=references)
        assert arm.observed["rouge_l"] == [found], said
    silent = {"reference": "target", "references": references, "reasons": False}
    assert "bleu" not in scored([asked(0, "yes")], ["##Answer: yes"], "pubmedqa", **silent).observed
    assert "bleu" in scored([asked(0, "Paris")], ["##Answer: Paris"], "own", **silent).observed, "of an open answer"


def test_an_open_answer_is_compared_as_reasoning_and_answer_together():
    references = {"q0": "It stands there. Paris"}
    arm = scored(
        [asked(0, "Paris")],
        ["##Reason: It stands there. ##Answer: Paris"],
        reference="long_answer",
        references=references,
    )
    assert arm.observed["rouge_2"] == [1.0]
    assert arm.observed["exact_match"] == [1.0], "other metrics keep the answers"


def test_without_long_references_the_wording_is_that_of_the_answers():
    arm = scored([asked(0, "in Paris", "Paris")], ["##Reason: so ##Answer: Paris"], metrics=["bleu", "rouge_1", "chrf"])
    assert arm.observed["rouge_1"] == arm.observed["rouge_l"] == [1.0]
    assert summary(arm.observed, ["chrf"], 0)["metrics"]["chrf"]["value"] == 1


@given(TEXT, st.sampled_from(["yes", "Paris"]), st.booleans())
def test_a_target_and_the_reply_that_repeats_it_have_one_text(reason, answer, closed):
    reply = parse(f"##Reason: {reason} ##Answer: {answer}", "paper")
    target = long_text.of_target(Target("q", answer, reason), closed)
    if reason or not closed:
        assert long_text.of_reply(reply, closed) == target
    else:
        assert (target, long_text.of_reply(reply, closed)) == ("", answer), "a label is no long text"
