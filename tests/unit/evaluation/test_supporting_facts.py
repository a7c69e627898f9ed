"""HotpotQA's scores: on every real record they equal a plain computation from the published definition."""

import gzip
import json
import random
import re
import string
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raft_exp.core import collection as passages
from raft_exp.core.records import Answer, ContextPassage, Example, Passage, Question, read_jsonl, write_jsonl
from raft_exp.dataset.context_stats import GoldRecall
from raft_exp.dataset.rows import RowFormat, RowSpec, Window, render_rows
from raft_exp.evaluation import scoring
from raft_exp.evaluation.metrics import METRICS, PROFILES
from raft_exp.evaluation.scoring import Grading
from raft_exp.evaluation.supporting_facts import SupportingFacts
from raft_exp.pipeline.parsing import parse
from raft_exp.reporting.stage import ReportStage, report
from tests.helpers.composing import compose

TOWN = ["Velmor is a town.", " It lies on the Ost.", " It lies in 1 valley.", ""]
RIVER = ["The Ost is", " a river. It lies low."]


def world(folder: Path, *questions: Question) -> SupportingFacts:
    made = [Passage("town:1", "Velmor", "Velmor", "".join(TOWN), "", TOWN, "made")]
    made.append(Passage("river:1", "Ost", "Ost", "".join(RIVER), "", RIVER, "made"))
    passages.write_passages(folder, made)
    write_jsonl(folder / "questions.jsonl", questions)
    return SupportingFacts(folder, folder)


def reasoning(supporting: SupportingFacts) -> Grading:
    """How an arm that quotes is graded."""
    return Grading(PROFILES["hotpotqa"], shown=True, reply_format="paper", reasons=True, supporting=supporting)


def row_format() -> RowFormat:
    """Rows of the tiny model, long enough for every context here."""
    return RowFormat(parse(compose()).prompt, "plain_text", True, Window("asset:tiny", None, 2048, 32), True)


def shown(name: str, text: str) -> ContextPassage:
    return ContextPassage(name, "", "", text, True)


@pytest.mark.parametrize(
    ("quote", "facts"),
    [
        ("Velmor is a town.", {("Velmor", 0)}),
        (" Velmor  is\na town. ", {("Velmor", 0)}),
        ("is a town", {("Velmor", 0)}),
        ("a town. It lies on", {("Velmor", 0), ("Velmor", 1)}),  # every sentence that it runs over
        ("Velmor is a town. It lies on the Ost. It", {("Velmor", 0), ("Velmor", 1), ("Velmor", 2)}),
        ("on the Ost. It", {("Velmor", 1), ("Velmor", 2)}),
        ("It lies", set()),  # too few words
        ("The Ost is a river", {("Ost", 0), ("Ost", 1)}),
        ("velmor is a town.", {("Velmor", 0)}),  # the case of the first letter aside
        ("Velmor Is a town.", set()),
        ("Velmor is a city.", set()),
        ("  ", set()),
    ],
)
def test_a_quote_is_the_sentences_that_it_stands_in(tmp_path: Path, quote: str, facts: set[tuple[str, int]]) -> None:
    supporting = world(tmp_path)
    context = [shown("town:1", "".join(TOWN)), shown("river:1", "".join(RIVER))]
    assert supporting.quoted([quote], context) == facts


def test_what_was_not_shown_cannot_be_quoted(tmp_path: Path) -> None:
    supporting = world(tmp_path)
    assert supporting.quoted(["It lies on the Ost."], [shown("town:1", "Velmor is a town.")]) == frozenset()
    assert supporting.quoted(["It lies on the Ost."], []) == frozenset()


# The published definition, written out once more and otherwise than in the package


def official_normal(text: str) -> str:
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def official_answer(prediction: str, gold: str) -> tuple[float, float, float, float]:
    """Exact match, F1, precision and recall."""
    said, true = official_normal(prediction), official_normal(gold)
    exact = float(said == true)
    if said != true and {said, true} & {"yes", "no", "noanswer"}:
        return exact, 0.0, 0.0, 0.0
    rest, same = true.split(), 0
    for word in said.split():
        if word in rest:
            rest.remove(word)
            same += 1
    if same == 0:
        return exact, 0.0, 0.0, 0.0
    precision, recall = same / len(said.split()), same / len(true.split())
    return exact, 2 * precision * recall / (precision + recall), precision, recall


def official_facts(predicted: set[Any], gold: set[Any]) -> tuple[float, float, float, float]:
    right, wrong, missed = len(predicted & gold), len(predicted - gold), len(gold - predicted)
    precision = right / (right + wrong) if right + wrong else 0.0
    recall = right / (right + missed) if right + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return float(wrong + missed == 0), f1, precision, recall


def official(prediction: str, facts: set[Any], row: dict[str, Any]) -> dict[str, float]:
    exact, f1, precision, recall = official_answer(prediction, row["answer"])
    named = {tuple(fact) for fact in row["supporting_facts"]}
    fact_exact, fact_f1, fact_precision, fact_recall = official_facts(facts, named)
    joint_precision, joint_recall = precision * fact_precision, recall * fact_recall
    total = joint_precision + joint_recall
    return {
        "exact_match": exact,
        "f1": f1,
        "supporting_em": fact_exact,
        "supporting_f1": fact_f1,
        "joint_em": exact * fact_exact,
        "joint_f1": 2 * joint_precision * joint_recall / total if total else 0.0,
    }


# Made predictions on real records


def made_answer(answer: str, draw: random.Random) -> str:
    """Right, nearly right and wrong answers, with odd Unicode and the yes-and-no traps."""
    words = answer.split()
    near = [f"The {answer}", f"a, {answer}.", " ".join(words[: len(words) // 2]), f"{answer} or so"]
    traps = ["yes", "no", "No.", "yes it is", "noanswer", "know", "", " ".join(reversed(words))]
    odd = [
        "Beyonce\u0301",
        f"\u201c{answer}\u201d",
        f"\u00a0{answer}\u3000",
        "\U0001f600",
        "\u042d\u0301\u0442\u043e " + answer,
    ]
    return draw.choice([answer, answer, answer.upper() + "!", *near, *traps, *odd])


def made_quotes(row: dict[str, Any], draw: random.Random) -> tuple[list[str], set[tuple[str, int]]]:
    """Quotes and the facts that they stand for, as far as the sentences stand nowhere else in the context."""
    everything = [(title, number, text) for title, every in row["context"] for number, text in enumerate(every)]
    named = [tuple(fact) for fact in row["supporting_facts"]]
    choices = [one for one in everything if one[2].strip() and draw.random() < (0.8 if one[:2] in named else 0.03)]
    whole = draw.random() < 0.5
    quotes = [text.strip() if whole else _half(text.strip()) for _, _, text in choices]
    inner = " ".join("".join("".join(every) + "\n" for _, every in row["context"]).split())
    long = [index for index, quote in enumerate(quotes) if len(re.findall(r"\w+", quote)) > 3]
    kept = [index for index in long if _letters(inner).count(_letters(quotes[index])) == 1]
    facts = {choices[index][:2] for index in kept}
    return [quotes[index] for index in kept] + draw.choice([[], ["Nobody ever said this."], [" "]]), facts


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


def _half(text: str) -> str:
    """The first half of a sentence, up to the end of a word."""
    return " ".join(text.split()[: max(4, len(text.split()) // 2)])


def made_reply(row: dict[str, Any], draw: random.Random) -> tuple[str, str, set[tuple[str, int]]]:
    """Raw reply, the answer in it, and its facts."""
    answer, (quotes, facts) = made_answer(row["answer"], draw), made_quotes(row, draw)
    quoted = " and ".join(f"##begin_quote## {quote} ##end_quote##" for quote in quotes)
    said = draw.choice([f"##Reason: {quoted} so. ##Answer: {answer}"] * 9 + ["", f"It is {row['answer']}."])
    if not said.startswith("##"):
        return said, "", set()
    return said, answer, facts


def study(folder: Path, rows: list[dict[str, Any]]) -> tuple[list[Example], SupportingFacts]:
    """The rows as the corpus reads them, each shown as it was published."""
    from tests.unit.corpora.test_hotpotqa import corpus

    (folder / "rows.json").write_text(json.dumps(rows))
    hotpotqa = corpus(folder / "rows.json", setting="fullwiki", test_share=1.0)
    collection = {passage.id: passage for passage in hotpotqa.passages()}
    questions = list(hotpotqa.questions())
    passages.write_passages(folder, collection.values())
    write_jsonl(folder / "questions.jsonl", questions)
    examples = []
    for question in questions:
        found = [collection[name] for name in question.published or []]
        context = [ContextPassage(p.id, p.title, p.title, p.text, p.id in question.gold) for p in found]
        examples.append(Example(question.id, question.question, question.answers, context, True, "", True, [], "test"))
    return examples, SupportingFacts(folder, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "number"), [("hotpot_dev_distractor_v1.json.gz", 500), ("hotpot_dev_fullwiki_v1.json.gz", 200)]
)
def test_real_records_equal_the_published_definition(tmp_path: Path, test_data: Path, name: str, number: int) -> None:
    rows = json.loads(gzip.decompress((test_data / "hotpotqa" / name).read_bytes()))
    examples, supporting = study(tmp_path, rows)
    assert len(examples) == number
    draw = random.Random(11)
    replies = {row["_id"]: made_reply(row, draw) for row in rows}
    missing = set(draw.sample(sorted(replies), number // 10))
    answers = [Answer(key, raw, False, 1, 1) for key, (raw, _, _) in replies.items() if key not in missing]
    arm = scoring.score_arm("raft", examples, answers, reasoning(supporting))
    sums: Counter[str] = Counter()
    for row in rows:
        _, answer, facts = replies[row["_id"]]
        scored = next(one for one in arm.rows if one["id"] == row["_id"])
        wanted = official(answer, facts, row)
        if row["_id"] in missing:
            wanted, facts = dict.fromkeys(wanted, 0.0), set()
        assert {name: scored["metrics"][name] for name in wanted} == pytest.approx(wanted, abs=1e-12), row["_id"]
        assert set(scored["supporting_facts"]) == facts
        sums.update(wanted)
    figures = scoring.summary(arm.observed, PROFILES["hotpotqa"].metrics, 0)["metrics"]
    for metric, total in sums.items():
        assert figures[metric]["value"] == pytest.approx(total / number), "divided by the number of gold records"
        assert 0 < total < number, "the made predictions tell right from wrong"


def test_a_paragraph_that_another_record_brought_counts(tmp_path: Path) -> None:
    town, river = [["Velmor", TOWN], ["Ost", RIVER]]
    facts = [["Velmor", 1], ["Ost", 1]]
    asked = {"question": "How does it lie?", "answer": "low", "supporting_facts": facts, "type": "", "level": ""}
    rows = [{"_id": "lacks", "context": [town], **asked}, {"_id": "whole", "context": [town, river], **asked}]
    examples, supporting = study(tmp_path, rows)
    retrieved = [replace(examples[0], context=examples[1].context)]
    quotes = "##begin_quote## It lies on the Ost. ##end_quote## ##begin_quote## a river. It lies low. ##end_quote##"
    answers = [Answer("lacks", f"##Reason: {quotes} ##Answer: low", False, 1, 1)]
    arm = scoring.score_arm("raft", retrieved, answers, reasoning(supporting))
    assert arm.rows[0]["supporting_facts"] == [("Ost", 1), ("Velmor", 1)]
    assert arm.rows[0]["metrics"]["supporting_f1"] == 1
    collection = passages.Passages(tmp_path)
    (question, _) = read_jsonl(tmp_path / "questions.jsonl", Question)
    for context, recall in ((examples[0].context, 0.5), (examples[1].context, 1.0)):
        found = GoldRecall()
        spec = RowSpec(question, [collection.find(passage.id) for passage in context], None)
        list(found.watch(render_rows(row_format(), tmp_path, [spec], workers=1)))
        assert found.figures() == {"all_gold": float(recall == 1), "recall": recall}


def test_arms_that_do_not_reason_have_no_scores_of_quotes(tmp_path: Path) -> None:
    supporting = world(tmp_path, Question("q", "Where?", ["Ost"], ["town:1"], "test", evidence=[("town:1", 1)]))
    context = [shown("town:1", "".join(TOWN))]
    asked = [Example("q", "Where?", ["Ost"], context, True, "", True, [], "test")]
    raw = "##Reason: ##begin_quote## It lies on the Ost. ##end_quote## ##Answer: Ost"
    arms = {
        name: scoring.score_arm(name, asked, [Answer("q", raw, False, 1, 1)], how)
        for name, how in (("raft", reasoning(supporting)), ("rag", replace(reasoning(supporting), reasons=False)))
    }
    seen = scoring.summaries(arms, asked, PROFILES["hotpotqa"], 0)
    assert [seen["raft"]["metrics"][name]["value"] for name in METRICS if METRICS[name].of_quotes] == [1, 1, 1, 1]
    assert not any(METRICS[name].of_quotes for name in seen["rag"]["metrics"] if name in METRICS)
    assert arms["rag"].rows[0].keys() == arms["raft"].rows[0].keys() - {"supporting_facts"}
    compared = {found["metric"] for found in scoring.comparisons("raft", arms, PROFILES["hotpotqa"], 0)}
    assert compared == {"exact_match", "f1", "answer_in_reply", "exact_match_lenient", "rouge_l"}


def test_the_report_says_which_arms_do_not_reason(tmp_path: Path) -> None:
    world(tmp_path, Question("q", "Where?", ["Ost"], ["town:1"], "test", evidence=[("town:1", 1)]))
    context = [shown("town:1", "".join(TOWN))]
    write_jsonl(tmp_path / "rows.jsonl", [Example("q", "Where?", ["Ost"], context, True, "", True, [], "test")])
    write_jsonl(tmp_path / "answers.jsonl", [Answer("q", "##Answer: Ost", False, 1, 1)])
    arms = {"rag": {"recipe": "none", "cot": False}, "raft": {"recipe": "raft", "cot": True}}
    for name, asked in (("both", ["rag", "raft"]), ("rag_alone", ["rag"])):
        (tmp_path / name).mkdir()
        report(
            ReportStage(
                study="s",
                note="",
                corpus="hotpotqa",
                model="m",
                seed=0,
                metrics=[],
                encoder=None,
                reply_format="paper",
                refusal="Not there.",
                conditions={},
                arms={arm: arms[arm] for arm in asked},
                settings={},
            ),
            test=tmp_path,
            conditions={},
            answers=dict.fromkeys(asked, tmp_path),
            datasets={},
            adapters={},
            out=tmp_path / name,
            passages=tmp_path,
            questions=tmp_path,
        )
    page = (tmp_path / "both" / "report.md").read_text()
    (rag,) = (line for line in page.splitlines() if line.startswith("| rag |") and "does not reason" in line)
    assert rag.count("does not reason") == 4
    assert "supporting EM" in page
    results = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("both", "rag_alone")]
    assert "supporting_f1" in results[0]["metrics"]
    assert not any(METRICS[metric].of_quotes for metric in results[1]["metrics"])
