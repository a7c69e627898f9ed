"""Questions over two passages: the pairs, the gate for their quotes, and the check that one passage is not enough."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Passage
from raft_exp.pipeline.parsing import parse
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected
from raft_exp.teachers.pairs import LinkedPairs, names_of
from raft_exp.teachers.tasks import PairConfig, QuestionTask
from raft_exp.teachers.two_passages import questions, quoted_sentences
from tests.helpers import small_training as small
from tests.helpers.composing import compose
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import teacher
from tests.helpers.stages import run
from tests.helpers.worlds import MANY

TASK = "task@teacher.questions=two_passages"


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-planted")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


# --- a corpus of rivers and towns: town N stands at a river that a passage of another document is about ---


def river(number: int) -> str:
    return "Ar" + "".join("bcdfgklm"[int(digit)] + "o" for digit in f"{number:03o}")


def corpus(folder: Path, towns: int = 30) -> list[str]:
    """Town N lies at a river, and another document tells where the river rises. Returns the overrides."""
    rows = []
    for number in range(towns):
        name = river(number)
        at_river = f"The town with the number {number} lies at the {name}, and people there build boats all year round."
        rises = f"Far away in the hills rises the {name}, whose spring is {number + 40} steps below an old stone gate."
        rows += [
            {"id": f"t{number}", "title": f"town {number}", "text": at_river},
            {"id": f"r{number}", "title": "", "text": rises},
        ]
    (folder / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["corpus=passages", f"corpus.path={folder / 'passages.jsonl'}", "teacher.questions.min_passage_words=5"]


def good(prompt: str, times: int = 0) -> Say:
    """A good reply to each task; a question is answerable from both passages alone."""
    if "Quote 1:" in prompt:
        number = int(re.findall(r"the number (\d+)", prompt)[0])
        return Say(
            f"Question: How many steps below a gate is the spring of the river of the town {number}?\n"
            f"Answer: {number + 40}\n"
            f"Quote 1: \u201c{number} lies at the {river(number)}\u201d\n"
            f"Quote 2: ##begin_quote## whose spring is {number + 40} steps below ##end_quote##"
        )
    asked = int(re.findall(r"of the town (\d+)\?", prompt)[0])
    has_both = f"the number {asked} lies" in prompt and f"{asked + 40} steps" in prompt
    if "unanswerable" in prompt:
        return Say("##Answer: " + (str(asked + 40) if has_both else "unanswerable"))
    quoted = f"##begin_quote## whose spring is {asked + 40} steps below ##end_quote##"
    return Say(f"##Reason: The town lies at that river, {quoted} and nothing else. ##Answer: {asked + 40}")


def written(tmp_path: Path, script, until: str = "questions", store: str = "store"):
    study = [*corpus(tmp_path), "dataset.num_distractors=2", "evaluation.num_distractors=2"]
    study += ["corpus.test=0.4", "corpus.validation=0.0"]
    with ScriptedServer(script) as server:
        made = run(tmp_path / store, *study, *teacher(server), TASK, until=until)
    return made, server


def test_a_pair_gives_a_question_whose_gold_is_both_passages(tmp_path):
    made, server = written(tmp_path, good, until="dataset")
    found = lines(made["questions"] / "questions.jsonl")
    assert found
    for question in found:
        number = int(re.findall(r"the town (\d+)\?", question["question"])[0])
        assert sorted(question["gold"]) == [f"r{number}", f"t{number}"]
        assert question["answers"] == [str(number + 40)]
        assert sorted(name for name, _ in question["evidence"]) == sorted(question["gold"]), "a sentence of each quote"
    audit = json.loads((made["questions"] / "audit.json").read_text())
    assert audit["written"]["asked"] == audit["checked"]["asked"] == audit["checked"]["kept"] == len(found)
    checks = [body for body in server.asked if "unanswerable" in str(body["messages"])]
    assert len(checks) == 3 * len(found), "both passages, and each alone"
    for name in ("raft", "test"):
        for row in lines(made[f"dataset[{name}]"] / "rows.jsonl"):
            if row["has_gold"]:
                assert sum(passage["gold"] for passage in row["context"]) == 2


@pytest.mark.slow
def test_each_reason_is_counted_and_nothing_is_paid_twice(tmp_path):
    whole, _ = written(tmp_path, good)
    numbers = sorted(int(row["answers"][0]) - 40 for row in lines(whole["questions"] / "questions.jsonl"))
    easy, foreign, alone, silent, unsure = numbers[:5]

    def script(prompt, times):
        writes = "Quote 1:" in prompt
        number = int(re.findall(r"the number (\d+)" if writes else r"of the town (\d+)\?", prompt)[0])
        if writes and number == foreign:
            return Say(good(prompt).text.replace("lies at the", "stands at the"))
        if writes and number == silent:
            return Say(good(prompt).text.partition("Quote 2")[0])
        if writes and number == alone:
            return Say(re.sub(r"Quote 1: .*", f"Quote 1: rises the {river(number)}, whose", good(prompt).text))
        if "unanswerable" in prompt and number == easy:
            return Say(f"##Answer: {number + 40}")  # from one passage too
        if "unanswerable" in prompt and number == unsure:
            return Say("##Answer: unanswerable")
        return good(prompt)

    made, server = written(tmp_path, script, store="other")
    audit = json.loads((made["questions"] / "audit.json").read_text())
    assert audit["written"]["reasons"] == {"quote_not_in_passage": 1, "few_quotes": 1, "one_passage_quoted": 1}
    assert audit["checked"]["reasons"] == {"one_passage_answers": 1, "unanswerable": 1}
    kept = {int(row["answers"][0]) - 40 for row in lines(made["questions"] / "questions.jsonl")}
    assert kept == set(numbers) - {easy, foreign, alone, silent, unsure}
    requests = [json.dumps(body, sort_keys=True) for body in server.asked]
    assert len(requests) == len(set(requests))
    aside = {row["id"]: row["reasons"][-1]["reason"] for row in lines(made["questions"] / "quarantine.jsonl")}
    assert sorted(aside.values()) == sorted([*audit["written"]["reasons"], *audit["checked"]["reasons"]])
    retried = [body for body in server.asked if "An earlier reply could not be used" in str(body["messages"])]
    assert len(retried) == 3
    assert "does not stand word for word in a passage" in str(retried)


def test_documents_without_a_shared_name_are_refused_before_a_request(tmp_path):
    rows = [{"id": f"d{at}", "text": f"Some words about Thing{at} that stand nowhere else {at}."} for at in range(20)]
    (tmp_path / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = ["corpus=passages", f"corpus.path={tmp_path / 'passages.jsonl'}", "teacher.questions.min_passage_words=3"]
    with ScriptedServer(good) as server:
        more = (*study, *teacher(server), TASK, "dataset.num_distractors=1", "evaluation.num_distractors=1")
        with pytest.raises(DataError, match=r"teacher\.questions\.pairs\.most_holders=8: no two train passages share"):
            run(tmp_path / "store", *more, until="questions")
    assert server.asked == []


def test_without_the_check_it_is_refused():
    own = ("corpus=passages", "corpus.path=x.jsonl", "teacher=openai", TASK)
    with pytest.raises(ConfigError, match=r"teacher\.check: got None, but .*=two_passages writes .*; use"):
        parse(compose(*own, "teacher.check=null"))
    parse(compose(*own, "teacher.check=null", "corpus.questions=questions.jsonl"))


# --- the pairs ---


def stored(folder: Path, *texts: str, documents: str = "") -> tuple[Passages, list[tuple[Passage, str]]]:
    """A collection of passages p0, p1, ... in the documents named by one letter each, all in training."""
    made = [
        Passage(f"p{at}", documents[at] if documents else f"d{at}", "", text, "", [text], "")
        for at, text in enumerate(texts)
    ]
    write_passages(folder, made)
    return Passages(folder), [(passage, "train") for passage in made]


def paired(folder: Path, *texts: str, most: int = 8, linked: bool = True, documents: str = "") -> list[tuple[int, int]]:
    collection, passages = stored(folder, *texts, documents=documents)
    return [pair for pair, _ in LinkedPairs(collection, passages, most, linked)]


APART = ("a b c d e f", "g h i j k l", "m n o p q r", "s t u v w x")


def test_a_shared_rare_name_links_and_an_ordinary_word_does_not(tmp_path):
    texts = [
        f"Boats {APART[0]} Velmor",
        f"Boats {APART[1]}",
        f"near Velmor's mill {APART[2]}",
        f"many boats {APART[3]}",
    ]
    assert paired(tmp_path, *texts) == [(0, 2)]


def test_a_name_of_many_passages_links_none(tmp_path):
    assert paired(tmp_path, *(f"Velmor {words}" for words in APART), most=3) == []


def test_within_documents_only_where_it_is_said(tmp_path):
    texts = [f"at Velmor {APART[0]}", f"by Velmor {APART[1]}", f"to Velmor {APART[2]}"]
    (tmp_path / "any").mkdir()
    assert paired(tmp_path, *texts, documents="xyx", linked=False) == [(0, 2)]
    assert paired(tmp_path / "any", *texts, documents="xyx") == [(0, 1)]


def test_copies_and_overlapping_passages_are_no_pair(tmp_path):
    text = "the mill of Velmor has nine wheels and a roof of slate"
    assert paired(tmp_path, text, f"{text} today", f"Velmor {APART[1]}") == [(0, 2)]


def test_words_with_digits_and_scripts_without_capitals_link_too(tmp_path):
    assert paired(tmp_path, f"the v12b pump {APART[0]}", f"our v12b valve {APART[1]}") == [(0, 1)]
    (tmp_path / "zh").mkdir()
    texts = ["长江流经这座古老的城市和许多村庄", "商人每年夏天沿着长江运送茶叶", "今天下雨"]
    assert paired(tmp_path / "zh", *texts) == [(0, 1)]
    assert not names_of("2024 and 1999 alone").names, "a bare number is no name"


NAMES = st.lists(st.sets(st.sampled_from(["Abc", "Bcd", "Cde", "Def", "Efg"]), max_size=3), min_size=2, max_size=12)


@given(NAMES, st.integers(2, 5), st.integers(0, 3))
@MANY
def test_pairs_are_disjoint_of_one_split_linked_and_always_the_same(tmp_path_factory, made, most, every):
    texts = [" ".join([*sorted(names), *(f"w{at}x{word}z" for word in range(4))]) for at, names in enumerate(made)]
    collection, passages = stored(tmp_path_factory.mktemp("pairs"), *texts)
    passages = [(passage, "test" if every and at % every == 0 else "train") for at, (passage, _) in enumerate(passages)]
    found = list(LinkedPairs(collection, passages, most, linked=True))
    assert found == list(LinkedPairs(collection, passages, most, linked=True))
    used = [ordinal for pair, _ in found for ordinal in pair]
    assert len(used) == len(set(used))
    holders = {name: sum(name in names for names in made) for names in made for name in names}
    splits = [split for _, split in passages]
    for (one, other), split in found:
        assert splits[one] == splits[other] == split
        assert any(holders[name] <= most for name in made[one] & made[other])
    free = [at for at in range(len(made)) if at not in used]
    for one, other in combinations(free, 2):
        rare = {name for name in made[one] & made[other] if 2 <= holders[name] <= most}
        assert splits[one] != splits[other] or not rare, "no linked passages are left over"


# --- the gate ---

GATE: dict[str, Any] = {"n": 2, "pairs": PairConfig(most_holders=8, linked=True, min_quote_words=3)}
TEXTS = ["Velmor lies at the Arno. It has a mill.", "The Arno rises below the old gate of Calton."]
ASKED = "Question: Below which gate rises the river of Velmor?\nAnswer: the gate of Calton\n"


def judged(text: str, finish: str = "stop"):
    task = QuestionTask(**small.values("task", "questions") | small.values("task", "two_passages", **GATE))
    return questions(task, LedgerEntry(text, finish, 0, 0, 0.0, None), TEXTS)


@pytest.mark.parametrize(
    "quotes",
    [
        "Quote 1: Velmor lies at the Arno.\nQuote 2: rises below the old gate of Calton",
        'Quote 2: "The Arno rises below the old gate"\nQuote 1: "Velmor lies at the Arno"',
        "**Quote from the first passage:** *Velmor lies at the Arno*\n- Quote 2: rises below the old gate",
        "Zitat 1: Velmor lies at the Arno\nZitat 2: rises  below the old gate",
    ],
)
def test_a_verbatim_quote_from_each_passage_passes(quotes):
    usable, dropped = judged(ASKED + quotes)
    ((_, question, answer, quoted),) = usable
    assert (question, answer) == ("Below which gate rises the river of Velmor?", "the gate of Calton")
    assert "Velmor lies at the Arno" in quoted[0]
    assert "rises" in quoted[1]
    assert not dropped


@pytest.mark.parametrize(
    ("quotes", "reason"),
    [
        ("", "few_quotes"),
        ("Quote 1: Velmor lies at the Arno", "few_quotes"),
        ("Quote 1: Velmor lies at the Arno\nQuote 2: rises above the old gate", "quote_not_in_passage"),
        ("Quote 1: Velmor lies at the Arno\nQuote 2: It has a mill", "one_passage_quoted"),
        ("Quote 1: the Arno\nQuote 2: rises below the old gate", "short_quote"),
    ],
)
def test_other_quotes_drop_the_question(quotes, reason):
    rejected = judged(ASKED + quotes)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    second = ASKED.replace("Below which", "Under which") + "Quote 1: Velmor lies at\nQuote 2: rises below the old"
    usable, dropped = judged(f"{ASKED}{quotes}\n\n{second}")
    assert [question for _, question, _, _ in usable] == ["Under which gate rises the river of Velmor?"]
    assert dropped == {reason: 1}


def test_the_last_question_of_a_reply_that_was_cut_off_is_left_out():
    whole = ASKED + "Quote 1: Velmor lies at the Arno\nQuote 2: rises below the old gate\n"
    usable, _ = judged(f"{whole}\n{ASKED.replace('Below', 'Under')}Quote 1: Velmor lies at the", "length")
    assert len(usable) == 1
    assert judged(whole, "length").reason == "cut_off"


def test_the_sentences_of_a_quote_are_evidence():
    sentences = ["One is here. ", "Two is there. ", "Three is gone."]
    passage = Passage("p", "d", "", "".join(sentences), "", sentences, "")
    assert quoted_sentences(passage, "Two is there.") == [1]
    assert quoted_sentences(passage, "is there. Three is") == [1, 2]
    assert quoted_sentences(passage, "nowhere at all") == []
