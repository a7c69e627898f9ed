"""Metrics against their published behaviour, and against a plain computation on real records."""

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from raft_exp.evaluation.metrics import METRICS, PROFILES, Graded, decision, macro_f1, normalize, number, profile
from raft_exp.evaluation.metrics.classes import labels
from raft_exp.evaluation.scoring import summary
from raft_exp.prompts import parse
from tests.helpers.scores import asked, scored

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LABEL = st.sampled_from(["yes", "no", "maybe", "", "unclear"])


def graded(prediction: str, *answers: str, raw: str | None = None, corpus: str = "hotpotqa") -> Graded:
    whole = f"##Reason: so it is. ##Answer: {prediction}" if raw is None else raw
    return Graded(answers, prediction, whole, profile(corpus).normalize)


def value(metric: str, row: Graded) -> float:
    observe = METRICS[metric].observe
    assert observe is not None
    return number(observe(row))


def corpus_macro_f1(pairs: list[tuple[str, str]]) -> float:
    return float(macro_f1(pairs, np.ones((1, len(pairs)), dtype=np.int64))[0])


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("The  Cat, and a DOG!", "cat and dog"),
        ("jack-o'-lantern", "jackolantern"),  # punctuation is deleted, not replaced by a space
        ("an answer the a", "answer"),
        ("theatre", "theatre"),
        ("a.", ""),
        (" \t\n", ""),
        ("U.S.A.", "usa"),
        ("“curly”", "“curly”"),  # only ASCII punctuation
    ],
)
def test_normalisation_as_published(text: str, normalised: str) -> None:
    assert normalize(text, nfd=False) == normalised
    assert normalize(text, nfd=True) == normalised


def test_nfd_makes_composed_and_decomposed_letters_equal_only_where_the_corpus_says_so() -> None:
    composed, decomposed = "Beyonc\u00e9", "Beyonce\u0301"
    assert value("exact_match", graded(composed, decomposed, corpus="natural_questions")) == 1
    assert value("exact_match", graded(composed, decomposed, corpus="hotpotqa")) == 0


@given(TEXT)
def test_normalising_again_changes_nothing_but_newly_freed_articles(text: str) -> None:
    once = normalize(text, nfd=True)
    assert once == once.strip()
    assert "  " not in once
    assert not {"a", "an", "the"} & set(once.split())


@pytest.mark.parametrize(
    ("prediction", "answer", "expected"),
    [
        ("no", "no way", 0.0),  # yes/no/noanswer are never partly right ...
        ("yes it is", "yes", 0.0),
        ("noanswer", "noanswer given", 0.0),
        ("No.", "no", 1.0),
        ("maybe not", "maybe", 2 / 3),  # ... but maybe is
        ("know", "no", 0.0),
        ("Barack Obama", "Barack Hussein Obama", 0.8),
        ("the the the cat", "cat cat", 2 / 3),
        ("", "cat", 0.0),
        ("", "", 0.0),
    ],
)
def test_f1_as_published(prediction: str, answer: str, expected: float) -> None:
    assert value("f1", graded(prediction, answer)) == pytest.approx(expected)


def test_best_over_the_answers() -> None:
    row = graded("Mount Everest", "K2", "Everest")
    assert value("exact_match", row) == 0
    assert value("f1", row) == pytest.approx(2 / 3)
    assert value("exact_match", graded("the everest", "K2", "Everest")) == 1


@settings(deadline=None)  # the first example imports rouge-score
@given(TEXT, st.lists(TEXT, min_size=1, max_size=3))
def test_values_are_shares_and_order_of_answers_does_not_matter(prediction: str, answers: list[str]) -> None:
    for name, metric in METRICS.items():
        if metric.per_row and metric.observe:
            found = value(name, graded(prediction, *answers))
            assert 0 <= found <= 1
            assert not metric.share or found in (0.0, 1.0)
    for name in ("exact_match", "f1", "answer_in_reply"):
        assert value(name, graded(prediction, *answers)) == value(name, graded(prediction, *reversed(answers)))


@given(TEXT, TEXT)
def test_an_exact_match_with_words_has_full_f1(prediction: str, answer: str) -> None:
    row = graded(prediction, answer)
    if value("exact_match", row) and row.normalize(prediction):
        assert value("f1", row) == 1
    elif not value("exact_match", row) and sorted(row.normalize(prediction).split()) != sorted(
        row.normalize(answer).split()
    ):
        assert value("f1", row) < 1


@pytest.mark.parametrize(
    ("prediction", "right"),
    [
        ("yes", 1),
        (" Yes. ", 1),
        ("YES!?", 1),
        ("**yes**", 1),
        ("(yes)", 1),
        ("yes, it does", 0),
        ("eyes", 0),
        ("no", 0),
        ("", 0),
        ("yes or no", 0),
    ],
)
def test_accuracy_takes_the_whole_label_only(prediction: str, right: int) -> None:
    assert value("accuracy", graded(prediction, "yes", corpus="pubmedqa")) == right


@pytest.mark.parametrize(
    ("raw", "answer", "found"),
    [
        ("We do not know.", "no", 0),  # "no" stands in "not" and "know"
        ("There is no effect, though yes for some.", "no", 1),
        ("There is no effect, though yes for some.", "yes", 0),  # the first label counts
        ("##Reason: no harm was seen. ##Answer: Yes, probably", "yes", 1),  # the marked answer comes first
        ("##Reason: no harm was seen. ##Answer: Yes, probably", "no", 0),
        ("##Reason: yes ##Answer: unclear", "yes", 0),
        ("##begin_quote## no harm ##end_quote## so it is maybe", "no", 0),  # a quote is not the reply's own word
        ("##begin_quote## no harm ##end_quote## so it is maybe", "maybe", 1),
        ("", "maybe", 0),
        ("Notably eyesight may be...", "yes", 0),
    ],
)
def test_lenient_labels(raw: str, answer: str, found: int) -> None:
    row = graded(parse(raw, "paper").prediction, answer, raw=raw, corpus="pubmedqa")
    assert value("answer_in_reply", row) == found


@pytest.mark.parametrize(
    ("raw", "answers", "found"),
    [
        ("The capital is Paris, of course.", ["Lyon", "paris"], 1),
        ("##Reason:Paris it is", ["Paris"], 1),  # markers are no letters
        ("##Reason: ##begin_quote##Paris and Rome##end_quote## ##Answer: Rome", ["Paris"], 0),
        ("##begin_quote##Paris and Rome##end_quote##", ["Paris"], 0),  # an arm that quotes gets no credit for it
        ("##begin_quote##Rome##end_quote## is Paris", ["Paris"], 1),
        ("Parisians say so", ["Paris"], 0),
        ("It is in New York City", ["New York"], 1),
        ("It is in York, New", ["New York"], 0),
        ("", ["the"], 0),  # an answer that normalises to nothing is not everywhere
        ("1,000 men", ["1000"], 1),
    ],
)
def test_answer_in_reply_is_bounded_by_words(raw: str, answers: list[str], found: int) -> None:
    row = graded(parse(raw, "paper").prediction, *answers, raw=raw, corpus="natural_questions")
    assert value("answer_in_reply", row) == found


def test_copied_passages_are_no_answer() -> None:
    passages = [
        f"The town {name} lies on the river Ost and has a mill, a market and a church of oak." for name in "ABCDE"
    ]
    copied = " ".join([*passages, "Paris is the capital of France."])
    for raw in (copied, f"##Answer: {copied}", "\n".join(passages) + "\nParis is the capital of France."):
        row = graded(parse(raw, "paper").prediction, "Paris", raw=raw, corpus="natural_questions")
        assert value("answer_in_reply", row) == 0, raw
    honest = "##Reason: " + " ".join(passages) + " ##Answer: It is Paris."
    row = graded(parse(honest, "paper").prediction, "Paris", raw=honest, corpus="natural_questions")
    assert value("answer_in_reply", row) == 1, "a long reason does not count against a short answer"
    long = replace(graded("", "Paris", raw=copied), lenient="Paris")
    assert value("answer_in_reply", long) == 1, "a long reply counts by its lenient answer"


@pytest.mark.parametrize(
    ("prediction", "right"),
    [("Paris\nLyon", 1), ("Lyon\nParis", 0), ("It is Paris, of course.", 1), ("Parisian", 1), ("", 0)],
)
def test_best_subspan_em_reads_the_first_line_as_published(prediction: str, right: int) -> None:
    assert value("best_subspan_em", graded(prediction, "Paris", corpus="natural_questions")) == right


@given(st.sampled_from(["yes", "no", "maybe", "a yes", "yes it is", ""]), st.text("*\"'`.!?()[]{}<> \n", max_size=6))
def test_all_strict_metrics_of_a_label_agree(label: str, marks: str) -> None:
    for said in (f"{marks}{label}{marks}", f"**{label}**", f"{label.upper()}{marks}"):
        for truth in ("yes", "no", "maybe"):
            row = graded(parse(f"##Answer: {said}", "paper").prediction, truth, corpus="pubmedqa")
            true, predicted = labels(row)
            assert value("accuracy", row) == value("exact_match", row) == (true == predicted), said


def longest(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence, by all subsequences' simplest recursion."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, left in enumerate(one, start=1):
        for j, right in enumerate(other, start=1):
            table[i][j] = table[i - 1][j - 1] + 1 if left == right else max(table[i - 1][j], table[i][j - 1])
    return table[-1][-1]


@settings(deadline=None)  # the first example imports rouge-score
@given(st.lists(st.sampled_from(["Velmor", "lies", "on", "the", "Ost,", "1802!"]), max_size=8).map(" ".join), TEXT)
def test_rouge_l_equals_its_definition(prediction: str, answer: str) -> None:
    for gold in (answer, "the Velmor lies on", prediction):
        said, wanted = (re.findall(r"[a-z0-9]+", text.lower()) for text in (prediction, gold))
        common = longest(said, wanted)
        expected = 2 * common / (len(said) + len(wanted)) if common else 0.0
        assert value("rouge_l", graded(prediction, gold)) == pytest.approx(expected)
        assert value("rouge_l", graded(prediction, "zzz", gold)) == pytest.approx(expected), "best over the answers"


class Places:
    """The vectors of texts, and of their words as tokens."""

    def __init__(self, places: dict[str, list[float]]) -> None:
        self._places = places

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self._places[text] for text in texts], dtype=np.float32)

    def tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        return [
            np.array([self._places[word] for word in text.split()], dtype=np.float32).reshape(-1, 2) for text in texts
        ]


def test_token_similarity_is_f1_of_the_closest_tokens_and_never_below_0() -> None:
    places = {"up": [0.0, 1.0], "right": [1.0, 0.0], "left": [-1.0, 0.0], "slant": [0.6, 0.8]}
    rows = [
        graded("up right", "right up"),
        graded("slant", "up right"),  # precision 0.8, recall (0.8 + 0.6) / 2
        graded("slant", "left", "slant"),
        graded("right", "left"),
        graded("", "up"),
    ]
    batch = METRICS["token_similarity"].batch
    assert batch is not None
    assert list(batch(rows * 30, Places(places))) == [1.0, 0.747, 1.0, 0.0, 0.0] * 30


def test_similarity_is_the_cosine_of_the_best_answer_and_never_below_0() -> None:
    places = {"up": [0.0, 1.0], "right": [1.0, 0.0], "left": [-1.0, 0.0], "slant": [0.6, 0.8], " ": [1.0, 0.0]}
    rows = [graded("slant", "up", "right"), graded("right", "left"), graded("up", "up"), graded(" ", "right")]
    batch = METRICS["semantic_similarity"].batch
    assert batch is not None
    found = batch(rows, Places(places))
    assert list(found) == [0.8, 0.0, 1.0, 0.0]


def test_lenient_scores_look_at_the_lenient_answer() -> None:
    row = replace(graded("", "Paris"), lenient="paris!")
    assert (value("exact_match", row), value("exact_match_lenient", row)) == (0, 1)
    closed = replace(graded("Yes, it does", "yes", corpus="pubmedqa"), lenient="yes")
    assert (value("accuracy", closed), value("accuracy_lenient", closed)) == (0, 1)


def test_all_yes_on_the_official_test_distribution() -> None:
    pairs = [("yes", "yes")] * 276 + [("no", "yes")] * 169 + [("maybe", "yes")] * 55
    assert f"{100 * corpus_macro_f1(pairs):.1f}" == "23.7"
    right = [value("accuracy", graded(prediction, truth, corpus="pubmedqa")) for truth, prediction in pairs]
    assert f"{100 * np.mean(right):.1f}" == "55.2"


def test_every_stray_label_adds_a_class_to_macro_f1() -> None:
    perfect = [("yes", "yes"), ("no", "no"), ("maybe", "maybe")] * 10
    assert corpus_macro_f1(perfect) == 1
    assert corpus_macro_f1([*perfect[:-1], ("maybe", "")]) == pytest.approx((1 + 1 + 18 / 19) / 4)
    assert corpus_macro_f1([*perfect[:-2], ("no", "x"), ("maybe", "y")]) == pytest.approx((1 + 2 * 18 / 19) / 5)


@settings(deadline=None)  # the first example imports scikit-learn
@given(st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=40))
def test_macro_f1_equals_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import f1_score

    truth, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    wanted = f1_score(truth, predicted, average="macro", zero_division=0.0)
    assert corpus_macro_f1(pairs) == pytest.approx(wanted, abs=1e-12)
    counted = Counter(pairs)
    counts = np.array([list(counted.values())] * 3) * np.array([[1], [2], [5]])
    assert macro_f1(list(counted), counts) == pytest.approx([wanted] * 3, abs=1e-12)


def test_the_example_of_a_new_metric_works_as_written() -> None:
    page = (Path(__file__).parents[3] / "docs" / "extend" / "metric.md").read_text(encoding="utf-8")
    namespace: dict[str, object] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], namespace)
    first_word = namespace["first_word"]
    assert callable(first_word)
    assert first_word(graded("Rhine, in the west", "the Rhine valley", "Alps")) == 1
    assert first_word(graded("west of the Rhine", "the Rhine valley", "Alps")) == 0


def test_every_profile_names_metrics_that_exist() -> None:
    for scored_as in [*PROFILES.values(), profile("my_documents")]:
        assert set(scored_as.metrics) <= set(METRICS)
    assert profile("pubmedqa").metrics[:2] == ("accuracy", "macro_f1")
    open_answers = ("exact_match", "f1", "answer_in_reply", "exact_match_lenient", "rouge_l")
    assert profile("my_documents").metrics == open_answers
    assert profile("my_documents", ["f1", "best_subspan_em"]).metrics == (*open_answers, "best_subspan_em")


def _made_reply(truth: str, draw: random.Random) -> str:
    labels = ["yes", "no", "maybe"]
    return draw.choice(
        [f"##Answer: {truth}"] * 4
        + [f"##Reason: we know it. ##Answer: {draw.choice(labels).upper()}."]
        + [f"##Answer: {truth}, in most", "I do not know", "", "##Answer:", "##Answer: unclear", truth]
    )


def test_all_yes_on_real_records(test_data: Path) -> None:
    """PQA-L's other half has the official test set's 276 yes, 169 no and 55 maybe: through the arm and its summary."""
    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    truths = [record["final_decision"] for record in records.values()]
    assert Counter(truths) == {"yes": 276, "no": 169, "maybe": 55}
    rows = [asked(number, truth) for number, truth in enumerate(truths)]
    said = {"form": "##Answer: yes", "free": "Yes, that is what the study shows."}
    for name, reply in said.items():
        arm = scored(rows, [reply] * 500, "pubmedqa")
        figures = {
            metric: f"{100 * one['value']:.1f}" for metric, one in summary(arm.observed, METRICS, 0)["metrics"].items()
        }
        assert (figures["accuracy"], figures["macro_f1"]) == (("55.2", "23.7") if name == "form" else ("0.0", "0.0"))
        assert figures["accuracy_lenient"] == "55.2"


def test_real_pubmedqa_records_equal_a_plain_computation(test_data: Path) -> None:
    """All 500 records with made replies: row by row, and as the official script (scikit-learn) sums them up."""
    from sklearn.metrics import accuracy_score, f1_score

    records = json.loads((test_data / "pubmedqa" / "ori_pqal.json").read_text(encoding="utf-8"))
    draw = random.Random(7)
    truths, said, pairs = [], [], []
    for record in records.values():
        truth = record["final_decision"]
        raw = _made_reply(truth, draw)
        # The plain way: cut after the marker, look the text up in a table of spellings.
        after = raw.split("##Answer:")[1].strip() if "##Answer:" in raw else ""
        plain = {"YES.": "yes", "NO.": "no", "MAYBE.": "maybe"}.get(after, after).replace(",", "")
        row = graded(parse(raw, "paper").prediction, truth, raw=raw, corpus="pubmedqa")
        assert value("accuracy", row) == (plain == truth), raw
        assert decision(row.prediction) == plain
        truths.append(truth)
        said.append(plain)
        pairs.append(labels(row))
    assert len(truths) == 500
    assert len(set(said)) > 4, "the made replies hold stray labels"
    assert np.mean([true == label for true, label in pairs]) == accuracy_score(truths, said)
    assert corpus_macro_f1(pairs) == pytest.approx(f1_score(truths, said, average="macro"), abs=1e-12)
