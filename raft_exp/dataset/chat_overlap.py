"""Finds held-out questions and gold passages in the training rows of a chat file, by their text.

A row leaks a held-out question in three cases:

- A user message contains the question word for word. If the question is a template ("What is the product's name?"), the
  row must also contain a gold passage of the question, or a near copy of this passage.
- A user message contains nearly the same words, the reply contains an answer of the question, and the row contains a
  gold passage of the question or a near copy of this passage.
- A user message contains the question with a few more or fewer words, or with its words in another order, and the reply
  contains an open answer of the question, i.e. not yes, no or maybe.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.near_copies import LEAST_SHINGLES, is_boilerplate, near_copies
from raft_exp.core.records import Question, read_jsonl
from raft_exp.core.shingles import WIDTH, Shingles, shingles, text_hash, units
from raft_exp.core.text import CLOSED_CLASS, plain_words
from raft_exp.core.wording import Wording, WordingUses
from raft_exp.corpora.readers.chat import ChatRow
from raft_exp.dataset.leakage import NearFinder, TextFinder
from raft_exp.dataset.overlap import Overlap
from raft_exp.dataset.training_index import ComparedQuestion

Chats = Callable[[], Iterator[ChatRow]]  # each call streams the training rows

_PIECES = re.compile(r"[\n\r]+|(?<=[.?!\u3002\uff1f\uff01\u061f\u0964])\s*")  # lines and sentences


def chat_overlaps(chats: Chats, questions: Path, passages: Passages) -> dict[str, Overlap]:
    """Returns {"test": overlap, "validation": overlap} of the held-out splits with the training rows.

    `questions`: the folder of the questions stage. `passages`: the collection of the study.
    """
    uses, held_out = WordingUses(), list[ComparedQuestion]()
    for question in read_jsonl(questions / "questions.jsonl", Question):
        compared = ComparedQuestion.of(question, passages)
        uses.add(compared.words, compared.documents, compared.answers)
        if question.split != "train":
            held_out.append(compared)
    gold = _gold_in_chats(chats, held_out, passages)
    found = _Leaks({question.id: question for question in held_out}, uses, gold)
    for place, chat in enumerate(chats()):
        found.look_in(place, chat)
    return {split: found.overlap(split) for split in ("test", "validation")}


def _prompt(chat: ChatRow) -> list[str]:
    return [message["content"] for message in chat.messages if message["role"] == "user"]


def _reply(chat: ChatRow) -> str:
    return chat.messages[-1]["content"]


def _gold_in_chats(chats: Chats, held_out: Iterable[ComparedQuestion], passages: Passages) -> dict[int, set[int]]:
    """Returns {ordinal of a gold passage: numbers of the chats with it or a near copy of it}, without boilerplate."""
    texts, documents = dict[int, list[str]](), defaultdict[int, set[int]](set)
    for ordinal in sorted({ordinal for question in held_out for ordinal in question.gold}):
        texts[ordinal] = units(passages[ordinal].text)
        documents[text_hash(texts[ordinal])].add(int(passages.documents[ordinal]))
    texts = {
        ordinal: text
        for ordinal, text in texts.items()
        if not is_boilerplate(len(text), len(documents[text_hash(text)]))
    }
    found = defaultdict[int, set[int]](set)
    short = TextFinder((ordinal, text) for ordinal, text in texts.items() if len(text) < LEAST_SHINGLES + WIDTH)

    def shingles_of_chats() -> Iterator[Shingles]:
        for place, chat in enumerate(chats()):
            all_units = units("\n".join(message["content"] for message in chat.messages))
            for ordinal in short.within(all_units):
                found[ordinal].add(place)
            yield shingles(all_units)

    ordinals = list(texts)
    for pair in near_copies(shingles_of_chats(), (shingles(text) for text in texts.values()), repeating=True):
        found[ordinals[pair.second]].add(pair.first)
    return found


@dataclass
class _Leaks:
    held_out: dict[str, ComparedQuestion]
    uses: WordingUses
    gold: dict[int, set[int]]

    def __post_init__(self) -> None:
        texts = {name: question.units for name, question in self.held_out.items()}
        self._whole, self._near = TextFinder(texts.items()), NearFinder(texts)
        self._found: dict[str, dict[str, str]] = {"questions": {}, "near_questions": {}, "other": {}}

    def look_in(self, place: int, chat: ChatRow) -> None:
        """Searches a training row for the held-out questions. `place`: the number of the row."""
        reply, closest = f" {plain_words(_reply(chat))} ", dict[str, Wording]()
        for text in _prompt(chat):
            pieces = [units(piece) for piece in _PIECES.split(text)]
            for piece in pieces:
                for name, how in self._near.within(piece).items():
                    closest[name] = how if closest.get(name) != "longer" else "longer"
            closest.update(dict.fromkeys(self._whole.within(list(chain.from_iterable(pieces))), "same"))
        for name, how in closest.items():
            figure = self._judge(self.held_out[name], how, place, reply)
            if figure:
                self._found[figure].setdefault(name, chat.where)

    def _judge(self, question: ComparedQuestion, how: Wording, place: int, reply: str) -> str:
        with_gold = any(place in self.gold.get(ordinal, ()) for ordinal in question.gold)
        answers = {answer for answer in question.answers if f" {answer} " in reply}
        if how == "same":
            return "questions" if with_gold or not self.uses.is_template(question.words) else "other"
        if answers and (with_gold or (how == "longer" and answers - CLOSED_CLASS)):
            return "near_questions"
        return ""

    def overlap(self, split: str) -> Overlap:
        """Returns the overlap of a held-out split."""
        own = {name: question for name, question in self.held_out.items() if question.split == split}
        same = {name: where for name, where in self._found["questions"].items() if name in own}
        rest = own.keys() - same.keys()
        near = {name: where for name, where in self._found["near_questions"].items() if name in rest}
        other = (self._found["other"].keys() & rest) - near.keys()
        on_gold = [name for name, question in own.items() if any(ordinal in self.gold for ordinal in question.gold)]
        examples = {"questions": same, "near_questions": near}
        return Overlap(
            len(own),
            {
                "questions": len(same),
                "near_questions": len(near),
                "questions_of_other_documents": len(other),
                "gold_overlap": len(on_gold),
            },
            {figure: next(iter(leaks.items())) for figure, leaks in examples.items() if leaks}
            | ({"gold_overlap": (on_gold[0], "rows of dataset.path")} if on_gold else {}),
        )
