"""Ready questions: their gold, their splits, and what is refused."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import Passages, write_passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.text import answer_pattern
from raft_exp.corpora.passages import PassagesConfig
from raft_exp.corpora.questions import ReadyQuestions
from raft_exp.retrieval.filters import DistractorFilter
from tests.helpers.files import lines


def passage(name: str, *sentences: str) -> Passage:
    return Passage(name, name.partition(":")[0], "", "".join(sentences), "", list(sentences), "")


TOWN = [
    passage("t:0", "Velmor is a town.", " It was built in 1802."),
    passage("t:1", "Mills stand there."),
    passage("u:0", "Garford lies by the sea."),
]


def read(folder: Path, rows: Iterable[Any], found: list[Passage] = TOWN, **changes: Any) -> list[Question]:
    """The questions, with `counts` of what was found out."""
    (folder / "collection").mkdir(exist_ok=True)
    write_passages(folder / "collection", found, any_language=True)
    settings = {"max_items": None, "validation": 0.0, "test": 0.0, "seed": 0} | changes
    seed, _ = settings.pop("seed"), settings.pop("counts", None)
    config = PassagesConfig(name="passages", path=None, questions=None, **settings)
    counts = changes.get("counts", Counter())
    return list(
        ReadyQuestions(lines(folder / "own.jsonl", *rows), Passages(folder / "collection"), config, seed).stream(counts)
    )


def test_gold_may_be_named_or_found_in_the_document(tmp_path):
    named, found, whole, label = read(
        tmp_path,
        [
            {"question": "a?", "answers": ["1802"], "gold": ["t:1"]},
            {"question": "b?", "answers": ["1802"], "document_id": "t"},
            {"question": "c?", "answers": "nobody knows", "document_id": "t"},
            {"question": "d?", "answers": ["yes"], "document_id": "t"},
        ],
    )
    assert [named.gold, found.gold, whole.gold, label.gold] == [["t:1"], ["t:0"], ["t:0", "t:1"], ["t:0", "t:1"]]
    assert (found.id, found.answers, whole.answers) == ("line-2", ["1802"], ["nobody knows"])
    assert found.evidence == [("t:0", 1)], "the sentence with the answer is what the extractive teacher quotes"
    assert whole.evidence == []


OWN_WORDS = [
    passage("m:0", "The pump is checked every seven days."),
    passage("m:1", "The valve is cleaned by crew 4."),
    passage("m:2", "The gauge stands at post 9."),
    passage("m:3", "The seal is replaced in autumn."),
    passage("n:0", "The tank is green."),
]


def test_an_answer_in_own_words_has_the_closest_passages_as_gold(tmp_path):
    counts: Counter[str] = Counter()
    rows = [
        {"question": "How often is the pump looked after?", "answers": ["about once a week"], "document_id": "m"},
        {"question": "Who cleans the valve?", "answers": ["crew 4"], "document_id": "m"},
        {"question": "Is the seal replaced?", "answers": ["yes"], "document_id": "m"},
        {"question": "Is the tank green?", "answers": ["yes"], "gold": ["n:0"]},
    ]
    own, verbatim, label, named = read(tmp_path, rows, OWN_WORDS, counts=counts)
    assert own.gold[0] == "m:0"
    assert len(own.gold) <= 2
    assert verbatim.gold == ["m:1"]
    assert "m:3" in label.gold
    assert len(label.gold) <= 2
    assert [row.slices for row in (verbatim, named)] == [{"gold": "holds the answer"}, {}]
    assert own.slices == label.slices == {"gold": "closest to question and answer"}
    assert (counts["gold_by_answer"], counts["gold_by_closeness"]) == (1, 2)


def test_no_more_passages_are_gold_than_configured(tmp_path):
    long = [passage(f"m:{number}", f"The pump of unit {number} is checked.") for number in range(80)]
    rows = [{"question": "How often is the pump checked?", "answers": ["now and then"], "document_id": "m"}]
    for closest in (1, 3):
        (row,) = read(tmp_path, rows, long, closest=closest)
        assert len(row.gold) == closest


def test_a_question_without_a_word_of_its_document_is_refused_with_its_place(tmp_path):
    rows = [
        {"question": "Who cleans the valve?", "answers": ["crew 4"], "document_id": "m"},
        {"question": "Wie oft geschieht das?", "answers": ["wöchentlich"], "document_id": "m"},
    ]
    message = r"^corpus\.questions: 1 of 2 questions \(line 2\) have no word in common with the passages .*\"gold\""
    with pytest.raises(DataError, match=message):
        read(tmp_path, rows, OWN_WORDS)


def test_of_many_passages_that_hold_a_short_answer_the_closest_is_gold(tmp_path):
    town = [
        passage("t:0", "In 1802 a mill burned.", " Nobody was hurt in 1802."),
        passage("t:1", "Velmor is a town.", " It has trade.", " The town of Velmor was founded in 1802."),
        passage("t:2", "The bridge of 1802 still stands."),
        passage("t:3", "Nothing else is known."),
        passage("u:0", "Garford lies by the sea."),
    ]
    counts: Counter[str] = Counter()
    rows = [{"question": "When was the town of Velmor founded?", "answers": ["1802"], "document_id": "t"}]
    (found,) = read(tmp_path, rows, town, counts=counts)
    assert (found.gold, found.also_answering, found.evidence) == (["t:1"], ["t:0", "t:2"], [("t:1", 2)])
    assert (counts["gold_of_many"], counts["also_answering"]) == (1, 2)


def test_the_quote_is_the_answering_sentence_closest_to_the_question(tmp_path):
    town = [passage("t:0", "In 1802 it rained in Velmor.", " The mill was built in 1802.", " The mill is old.")]
    rows = [{"question": "When was the mill of Velmor built?", "answers": ["1802"], "document_id": "t"}]
    assert read(tmp_path, rows, town)[0].evidence == [("t:0", 1)]
    named = [{"question": "When was the mill built?", "answers": ["1802"], "gold": ["t:0"]}]
    assert read(tmp_path, named, town)[0].evidence == [("t:0", 1)]


def test_each_statement_of_an_answer_has_its_closest_passage_as_gold(tmp_path):
    rows = [
        {
            "question": "How is the plant looked after?",
            "answers": ["They check the pump once a week. The seal gets replaced each autumn."],
            "document_id": "m",
        },
        {"question": "How often is the pump looked after?", "answers": ["about once a week"], "document_id": "m"},
    ]
    counts: Counter[str] = Counter()
    both, one = read(tmp_path, rows, OWN_WORDS, counts=counts)
    assert both.gold == ["m:0", "m:3"]
    assert both.evidence == [("m:0", 0), ("m:3", 0)]
    assert both.slices == {"gold": "closest to question and answer", "evidence": "in several passages"}
    assert one.slices["evidence"] == "in one passage"
    assert (counts["gold_several"], counts["gold_beyond_closest"]) == (1, 0)
    short, _ = read(tmp_path, rows, OWN_WORDS, counts=(fewer := Counter()), closest=1)
    assert len(short.gold) == 1
    assert (fewer["gold_several"], fewer["gold_beyond_closest"]) == (0, 1)


def test_several_named_passages_are_quoted_each(tmp_path):
    rows = [
        {"question": "Who cleans the valve beside the pump?", "answers": ["crew 4"], "gold": ["m:0", "m:1"]},
        {"question": "Is the tank green?", "answers": ["yes"], "gold": ["n:0"]},
    ]
    counts: Counter[str] = Counter()
    both, one = read(tmp_path, rows, OWN_WORDS, counts=counts)
    assert both.evidence == [("m:0", 0), ("m:1", 0)]
    assert (both.slices, one.slices) == ({"evidence": "in several passages"}, {"evidence": "in one passage"})
    assert counts["gold_several"] == 1


def test_a_question_about_two_documents_has_gold_in_both(tmp_path):
    rows = [
        {"question": "Is Velmor built by the sea as Garford is?", "answers": ["no"], "document_id": ["t", "u"]},
        {"question": "When?", "answers": ["1802"], "document_id": "t"},
    ]
    found, _ = read(tmp_path, rows)
    assert (len(found.gold), found.gold[-1]) == (2, "u:0")
    assert {name for name, _ in found.evidence} == set(found.gold)
    with pytest.raises(DataError, match="field 'document_id' is 'z', but the corpus has no document with this id"):
        read(tmp_path, [{"question": "a?", "answers": ["b"], "document_id": ["t", "z"]}])


class ByLength:
    """Says that longer texts are closer."""

    def passages(self, text: str, ordinals: Sequence[int]) -> list[float]:
        return [float(len(OWN_WORDS[at].text)) for at in ordinals]

    def sentences(self, text: str, sentences: Sequence[str]) -> list[float]:
        return [float(len(sentence)) for sentence in sentences]


def test_the_retriever_of_the_study_says_what_is_close(tmp_path):
    write_passages(tmp_path, OWN_WORDS, any_language=True)
    row = {"question": "Wie oft geschieht das?", "answers": ["wöchentlich"], "document_id": "m"}
    config = PassagesConfig("passages", None, None, None, 0.0, 0.0, closest=1)
    ready = ReadyQuestions(lines(tmp_path / "own.jsonl", row), Passages(tmp_path), config, 0, ByLength())
    (found,) = ready.stream(Counter())
    assert (found.gold, found.evidence) == (["m:0"], [("m:0", 0)])


VOCABULARY = [
    "pump",
    "valve",
    "weekly",
    "crew",
    "1802",
    "1,5",
    "Pumpe",
    "泵",
    "每周",
    "检查",
    "펌프를",
    "पंप",
    "ปั๊ม",
    "مضخة",
    "C++",
    "-3",
]
TEXTS = st.lists(st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=5).map(" ".join), min_size=1, max_size=3)


@pytest.mark.slow
@given(
    documents=st.lists(st.lists(TEXTS, min_size=1, max_size=8), min_size=1, max_size=3),
    asked=st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 2)), min_size=1, max_size=4),
    closest=st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_gold_is_few_passages_of_the_document_and_what_else_answers_is_no_distractor(documents, asked, closest):
    passages = [
        passage(f"{d}:{p}", *(f"{text}. " for text in texts))
        for d, document in enumerate(documents)
        for p, texts in enumerate(document)
    ]
    rows = [
        {"question": f"pump {' '.join(q)}?", "answers": [". ".join(a)], "document_id": str(at % len(documents))}
        for q, a, at in asked
    ]
    passages = [replace(each, text=each.text + " pump", sentences=[*each.sentences, " pump"]) for each in passages]
    with TemporaryDirectory() as folder:
        found = read(Path(folder), rows, passages, closest=closest)
        collection = Passages(Path(folder) / "collection")
        for question, row in zip(found, rows, strict=True):
            of_document = {each.id: each for each in passages if each.document_id == row["document_id"]}
            pattern = answer_pattern(question.answers)
            holding = {name for name, each in of_document.items() if pattern and pattern.search(each.text)}
            assert set(question.gold) <= set(of_document)
            assert 1 <= len(question.gold) <= (1 if holding else closest)
            assert holding == ({*question.gold, *question.also_answering} if holding else set())
            assert {name for name, _ in question.evidence} <= set(question.gold)
            chosen = DistractorFilter(collection, same_document=True, answer_allowed=True)
            distractors = chosen.distractors(question, iter(range(len(collection))), 99)
            assert not {collection[at].id for at in distractors} & {*question.gold, *question.also_answering}


def test_our_own_questions_go_back_in_unchanged(tmp_path):
    given = Question(
        "q", "Where?", ["by the sea"], ["u:0"], "test", ["t:0"], [("u:0", 0)], "It lies there.", {"kind": "single"}
    )
    assert read(tmp_path, [given.__dict__]) == [given]


def documents(count: int) -> list[Passage]:
    return [passage(f"d{number}:0", f"text {number}") for number in range(count)]


def about(count: int, **more: Any) -> list[dict[str, Any]]:
    """Two questions about each document."""
    return [
        {"id": f"{kind}{number}", "question": f"{kind} {number}?", "answers": ["x"], "gold": [f"d{number}:0"], **more}
        for number in range(count)
        for kind in "ab"
    ]


def test_splits_are_drawn_by_document_and_exactly(tmp_path):
    found = read(tmp_path, about(40), documents(40), test=0.2, validation=0.1)
    assert Counter(question.split for question in found) == {"test": 16, "validation": 8, "train": 56}
    by_document = {(question.gold[0], question.split) for question in found}
    assert len(by_document) == 40, "both questions of a document stand on one side"
    other = read(tmp_path, about(40), documents(40), test=0.2, validation=0.1, seed=1)
    assert [question.split for question in other] != [question.split for question in found]


def test_documents_that_share_a_question_stay_on_one_side(tmp_path):
    pairs = [(2 * number, 2 * number + 1) for number in range(20)]
    chain = [(40, 41), (43, 44), (42, 43), (41, 42)]
    rows = [
        {"id": f"{one}-{other}", "question": f"{one} {other}?", "answers": ["x"], "gold": [f"d{one}:0", f"d{other}:0"]}
        for one, other in pairs + chain
    ]
    alone = [{**row, "id": f"{row['id']} alone", "gold": row["gold"][1:]} for row in rows]
    for seed in range(5):
        found = read(tmp_path, rows + alone, documents(45), test=0.4, validation=0.2, seed=seed)
        gold = {split: {name for q in found if q.split == split for name in q.gold} for split in ("train", "test")}
        assert gold["train"], seed
        assert gold["test"], seed
        shown = {name for q in found if q.split != "test" for name in q.gold}
        assert not shown & gold["test"], "what is tested is never learned from"
        assert len({q.split for q in found if int(q.gold[0][1:-2]) >= 40}) == 1, "the chain is one group"


def test_a_given_split_holds_for_all_documents_that_hang_together(tmp_path):
    rows = [
        {"id": "1", "question": "1?", "answers": ["x"], "gold": ["d0:0", "d1:0"]},
        {"id": "2", "question": "2?", "answers": ["x"], "gold": ["d2:0"], "split": "test"},
        {"id": "3", "question": "3?", "answers": ["x"], "gold": ["d2:0", "d1:0"]},
        {"id": "4", "question": "4?", "answers": ["x"], "gold": ["d3:0"]},
    ]
    assert [question.split for question in read(tmp_path, rows, documents(4))] == ["test", "test", "test", "train"]


def test_given_splits_are_kept_and_a_document_follows_them(tmp_path):
    rows = about(10)
    rows[0]["split"], rows[3]["split"] = "test", "validation"
    found = read(tmp_path, rows, documents(10), test=0.5, validation=0.5)
    assert [question.split for question in found] == ["test", "test", "validation", "validation"] + ["train"] * 16


def test_fewer_training_questions_lie_among_more(tmp_path):
    few = read(tmp_path, about(20), documents(20), test=0.2, max_items=5)
    more = read(tmp_path, about(20), documents(20), test=0.2, max_items=9)
    assert Counter(question.split for question in few) == {"train": 5, "test": 8}
    assert {question.id for question in few} < {question.id for question in more}


def test_what_had_to_be_found_out_is_counted(tmp_path):
    counts: Counter[str] = Counter()
    (tmp_path / "collection").mkdir()
    write_passages(tmp_path / "collection", TOWN)
    rows = [{"question": "b?", "answers": ["1802"], "document_id": "t"}, {"question": "c?", "document_id": "u"}]
    config = PassagesConfig("passages", None, None, None, 0.0, 0.0)
    file = lines(tmp_path / "own.jsonl", *rows)
    list(ReadyQuestions(file, Passages(tmp_path / "collection"), config, 0).stream(counts))
    assert counts == {"records": 2, "gold_by_answer": 1, "gold_by_document": 1, "evidence_by_answer": 1}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"answers": ["y"], "gold": ["t:0"]}, "field 'question' is missing or empty"),
        ({"question": "x?", "gold": ["t:9"]}, "field 'gold' names 't:9', but no passage has this id"),
        ({"question": "x?", "document_id": "z"}, "field 'document_id' is 'z', but the corpus has no document with"),
        ({"question": "x?", "gold": ["t:0"], "split": "dev"}, "field 'split' is 'dev'; give one of train, validation"),
        ({"question": "x?", "gold": ["t:0"], "answers": [["a"]]}, "field 'answers' is [['a']]; give a list of texts"),
        ({"question": "x?", "gold": ["t:0"], "evidence": [["t:0", 2]]}, "field 'evidence' names sentence 2 of passage"),
        ({"question": "x?", "gold": ["t:0"], "evidence": ["t:0"]}, "field 'evidence' holds 't:0'; give pairs"),
        ({"question": "x?", "gold": ["t:0"], "given": ["no"]}, "field 'given' names 'no', but no passage has this id"),
    ],
)
def test_what_cannot_be_is_refused_with_file_line_and_remedy(tmp_path, row, told):
    with pytest.raises(DataError) as error:
        read(tmp_path, [{"question": "a?", "answers": ["1802"], "gold": ["t:1"]}, row])
    assert str(error.value).startswith(f"{tmp_path / 'own.jsonl'}, line 2: ")
    assert told in str(error.value)


def test_an_unknown_document_names_the_nearest_or_a_few(tmp_path):
    found = [passage("manuals/pump.md:0", "A pump."), passage("manuals/valve.md:0", "A valve.")]

    def refused(name: str) -> str:
        with pytest.raises(DataError) as error:
            read(tmp_path, [{"question": "x?", "answers": ["y"], "document_id": name}], found)
        return str(error.value)

    assert refused("manuals/pmup.md").endswith("did you mean 'manuals/pump.md'?")
    assert refused("valve.md").endswith("did you mean 'manuals/valve.md'?")
    few = "the corpus has 2 documents, for example 'manuals/pump.md', 'manuals/valve.md'"
    assert refused("something quite different, of another kind").endswith(few)


def test_a_missing_field_names_the_fields_that_are_there(tmp_path):
    gold = {"gold": ["t:0"]}
    with pytest.raises(DataError, match=r"'\+corpus\.columns\.question=NAME' \(the file has 'Frage', 'gold'\)"):
        read(tmp_path, [{"Frage": "x?", **gold}])
    with pytest.raises(
        DataError,
        match=r"columns\.document_id=NAME' \(the file has 'question', 'answers', 'datei'\)",
    ):
        read(tmp_path, [{"question": "x?", "answers": ["no"], "datei": "t"}])
    with pytest.raises(
        DataError, match=r"no question has an answer; .* name their column: .* \(the file has 'question', 'Antwort'\)"
    ):
        read(tmp_path, [{"question": "x?", "Antwort": "y"}])
    with pytest.raises(DataError, match=r"columns\.answers=NAME' \(the file has 'question', 'Antwort', 'gold'\)"):
        read(tmp_path, [{"question": "x?", "Antwort": "y", **gold}])


def test_a_row_without_answer_gold_and_document_is_refused_with_the_number_of_such_rows(tmp_path):
    whole, empty = {"question": "a?", "answers": ["1802"]}, {"question": "b?", "answers": ""}
    named = {"question": "c?", "gold": ["t:1"]}
    told = r"^.*own\.jsonl, line 3: field 'answers' is missing or empty, and the row names neither .* nor a document"
    for lacking, more in (([empty], ""), ([empty, {"question": "d?"}], r" \(such rows in all: 2\)")):
        with pytest.raises(DataError, match=rf"{told}{more}; give the answer or remove the record$"):
            read(tmp_path, [whole, named, *lacking])


def test_rows_that_name_no_document_among_rows_that_do_are_counted_with_the_first(tmp_path, capsys):
    named = [{"question": "a?", "answers": ["1802"], "document_id": "t"}, {"question": "b?", "gold": ["t:1"]}]
    empty = [{"question": f"{name}, town?", "answers": ["1802"], "document_id": []} for name in ("c", "d")]
    told = "of 4 questions name neither document_id nor gold (the first: line 3);"
    assert len(read(tmp_path, [*named, *empty])) == 4
    assert f"own.jsonl: 2 {told}" in capsys.readouterr().err
    for rows in (named, empty):
        read(tmp_path, rows)
        assert "name neither document_id" not in capsys.readouterr().err


def test_a_blank_answer_is_none(tmp_path):
    blanks = [["", "1802", " "], "", [" "]]
    rows = [{"question": f"x{at}?", "answers": answers, "gold": ["t:0"]} for at, answers in enumerate(blanks)]
    assert [row.answers for row in read(tmp_path, rows)] == [["1802"], [], []]


def words(number: int, size: int = 40) -> str:
    return " ".join(f"w{number}x{place}" for place in range(size))


def test_near_copies_under_other_names_stay_on_one_side(tmp_path):
    texts = [words(number) for number in range(20)]
    copies = [text.replace("x7 ", "y ").upper() for text in texts]
    found = [passage(f"d{number}:0", text) for number, text in enumerate(texts + copies)]
    rows = [
        {"id": str(number), "question": f"What of {number}?", "answers": [f"a{number}"], "gold": [f"d{number}:0"]}
        for number in range(40)
    ]
    for seed in range(3):
        splits = [row.split for row in read(tmp_path, rows, found, test=0.4, validation=0.2, seed=seed)]
        assert splits[:20] == splits[20:]
        assert Counter(splits) == {"test": 16, "validation": 8, "train": 16}


def test_an_equally_worded_question_with_one_answer_stays_on_one_side_and_a_template_does_not(tmp_path):
    rows = [
        {"id": f"{number}{kind}", "question": question, "answers": [answer], "gold": [f"d{number}:0"]}
        for number in range(40)
        for kind, question, answer in (
            ("name", "What is the product's name?", f"Lamp {number}"),
            ("twin", f"Who owns the mill number {number // 2}?", f"owner {number // 2}"),
        )
    ]
    found = [passage(f"d{number}:0", words(number)) for number in range(40)]
    splits = {row.id: row.split for row in read(tmp_path, rows, found, test=0.4)}
    assert all(splits[f"{number}twin"] == splits[f"{number + 1}twin"] for number in range(0, 40, 2))
    assert len({splits[f"{number}name"] for number in range(40)}) == 2


def test_boilerplate_joins_no_documents(tmp_path):
    licence = "Published under the licence of the town of Velmor, all rights reserved."
    found = [
        passage(f"d{number}:{place}", text)
        for number in range(12)
        for place, text in enumerate([words(number), "None.", licence])
    ]
    rows = [{"question": f"{number}?", "answers": ["x"], "gold": [f"d{number}:0"]} for number in range(12)]
    assert Counter(row.split for row in read(tmp_path, rows, found, test=0.25)) == {"test": 3, "train": 9}
