"""What questions are split by: the units, the draw, the choice and its key."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.records import Passage, Question
from raft_exp.core.schema import identity
from raft_exp.corpora.passages import PassagesConfig
from raft_exp.corpora.pools import document_splits, pool
from raft_exp.corpora.question_levels import QuestionLevel
from raft_exp.corpora.questions import ReadyQuestions
from raft_exp.corpora.shares import draw_groups
from raft_exp.corpora.split_figures import split_choice
from raft_exp.corpora.split_units import LEVELS, divided, words
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers.files import lines
from tests.helpers.stages import stages_of
from tests.helpers.worlds import EXAMPLES

SIZES = st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 9), min_size=1, max_size=12)


@given(SIZES, st.floats(0.01, 0.99), st.integers(0, 99))
@settings(max_examples=EXAMPLES, deadline=None)
def test_groups_are_drawn_up_to_their_share_and_some_are_left(sizes, share, seed):
    total = sum(sizes.values())
    drawn = draw_groups(sizes, share, seed, "test", total)
    assert drawn == draw_groups(dict(sorted(sizes.items())), share, seed, "test", total)
    assert drawn < sizes.keys()
    assert bool(drawn) == (len(sizes) > 1)
    wanted = max(round(share * total), 1)
    assert sum(sizes[name] for name in drawn) <= wanted or (
        drawn == {min(drawn)} and sizes[min(drawn)] == min(sizes.values())
    )
    assert draw_groups(sizes, 0.0, seed, "test", total) == set()


def collection(folder: Path, documents: list[list[tuple[str, str]]]) -> Passages:
    """Documents of passages with a place and a text."""
    made = [
        Passage(f"{d}:{n}", str(d), "", text, place, [text], "")
        for d, document in enumerate(documents)
        for n, (place, text) in enumerate(document)
    ]
    write_passages(folder, made, any_language=True)
    return Passages(folder)


def test_a_section_is_a_run_of_passages_with_one_place(tmp_path):
    made = collection(tmp_path, [[("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")], [("a", "5"), ("", "6"), ("", "7")]])
    units = divided(made, "section").units.tolist()
    assert [units.index(unit) for unit in units] == [0, 0, 2, 3, 4, 5, 5]
    assert len(set(divided(made, "document").units.tolist())) == 2
    assert len(set(divided(made, "question").units.tolist())) == 7


@st.composite
def asked(draw) -> tuple[list[list[tuple[str, str]]], list[Question]]:
    """Documents of distinct texts, and questions about one or two of their passages, some with a split of the file."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    documents = [
        [(draw(st.sampled_from("ab")), f"text {d} of {n} says {d * 10 + n} things") for n in range(size)]
        for d, size in enumerate(sizes)
    ]
    names = [f"{d}:{n}" for d, size in enumerate(sizes) for n in range(size)]
    questions = []
    for number in range(draw(st.integers(2, 12))):
        gold = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True))
        split = draw(st.sampled_from(["", "", "", "", "train", "test"]))
        text = draw(
            st.sampled_from(["what is said here", f"what is number {number}", f"how many are {number} of them"])
        )
        questions.append(Question(f"q{number}", text, [draw(st.sampled_from(["one", f"{number} of it"]))], gold, split))
    return documents, questions


@given(asked(), st.sampled_from(LEVELS), st.integers(0, 5))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_unit_has_one_split_and_no_training_context_shows_a_unit_of_the_test(world, by, seed):
    documents, questions = world
    with TemporaryDirectory() as name:
        made = collection(Path(name), documents)
        config = PassagesConfig("passages", None, None, None, validation=0.1, test=0.3)

        def stream() -> Iterator[Question]:
            return iter(questions)

        level = QuestionLevel(by, stream, made, config, seed)
        again = QuestionLevel(by, stream, made, config, seed)
        split = {question.id: question.split for question in level.questions()}
        assert split == {question.id: question.split for question in again.questions()}
        assert all(split[question.id] == question.split for question in questions if question.split)
        owners = document_splits(level.collection, level.questions())
        if by != "question":
            drawn = defaultdict(set)
            for question in questions:
                for gold in question.gold:
                    drawn[int(level.collection.units[made.find(gold)])].add((split[question.id], question.split))
            for splits in drawn.values():
                assert len({one for one, of_file in splits if not of_file}) <= 1
            shown = set(pool(owners, "train").tolist())
            tested = {made.find(gold) for each in questions if split[each.id] == "test" for gold in each.gold}
            assert not shown & tested
        for question in level.questions():
            allowed = DistractorFilter(level.collection, same_document=False, answer_allowed=True)
            chosen = allowed.distractors(question, iter(pool(owners, question.split).tolist()), 99)
            gold_units = {int(level.collection.units[made.find(gold)]) for gold in question.gold}
            assert gold_units.isdisjoint(int(level.collection.units[at]) for at in chosen)
        choice = split_choice(by, "auto", True, level.collection, level.questions)
        assert choice["test_questions"] == sum(value == "test" for value in split.values())
        assert bool(words(choice)) == (by != "document")


@pytest.mark.parametrize("count", [29, 30])
@pytest.mark.parametrize("corpus", ["documents", "passages"])
def test_thirty_documents_keep_their_key(tmp_path, corpus, count):
    rows = [{"id": f"{n}:{place}", "document_id": str(n), "text": "a"} for n in range(count) for place in range(2)]
    path = lines(tmp_path / "passages.jsonl", *rows)
    if corpus == "documents":
        path = tmp_path / "docs"
        path.mkdir()
        for number in range(count):
            (path / f"{number}.txt").write_text("a")
    asked = lines(tmp_path / "questions.jsonl", {"question": "a?", "answers": ["a"], "document_id": "0"})
    how = (f"+experiment={corpus}", f"corpus.path={path}", f"corpus.questions={asked}", "model=tiny", "trainer=cpu")
    key = identity(stages_of(*how)["questions"].config)
    assert ("split_rules" in key) == (count < 30)
    assert "split" not in key["corpus"]
    explicit = identity(stages_of(*how, "corpus.split=section")["questions"].config)
    assert explicit["corpus"]["split"] == "section"
    assert "split_rules" not in explicit


def test_enough_documents_keep_their_splits_where_few_of_them_have_questions(tmp_path):
    texts = [[("", f"text {d} of {n}") for n in range(2)] for d in range(40)]
    asked = [Question(f"q{n}", f"what of {n}", [f"{n} things"], [f"{n % 2}:{n // 2 % 2}"], "") for n in range(8)]
    rows = [{"id": each.id, "question": each.question, "answers": each.answers, "gold": each.gold} for each in asked]
    config = PassagesConfig("passages", None, None, None, validation=0.1, test=0.2)
    made = collection(tmp_path, texts)
    ready = ReadyQuestions(lines(tmp_path / "questions.jsonl", *rows), made, config, 0)
    splits = {question.id: question.split for question in ready.stream(Counter())}
    assert ready.by == "document"
    assert set(splits.values()) == {"train", "test"}
    assert {splits[f"q{n}"] for n in (0, 2, 4, 6)} != {splits[f"q{n}"] for n in (1, 3, 5, 7)}
