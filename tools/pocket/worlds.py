"""Generates practice worlds: small random sets of documents and questions, similar to the almanac's."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from raft_exp.corpora.almanac import phrasing
from raft_exp.corpora.almanac.names import ENDS, GIVEN, STARTS, Realm, made_name
from raft_exp.corpora.almanac.phrasing import KINDS, Fact, Forms

_KINDS = [*KINDS, "study"]
_SHORT_NAMES = 2 * len(STARTS) * (len(ENDS) // 4)


@dataclass(frozen=True)
class Plan:
    """Settings for the exercises of a training stage. Pairs are (smallest, largest) numbers; shares are 0 to 1."""

    documents: tuple[int, int] = (2, 5)
    facts: tuple[int, int] = (2, 4)
    same_kind: float = 0.8  # share of contexts with one kind of document
    same_facts: float = 0.8  # share of these contexts whose documents all state the same facts
    siblings: float = 0.2  # share of documents whose name has the first syllable of another document's name
    framed: float = 0.3  # share of contexts with one question in the prompt format of a study
    recite: float = 0.4  # share of contexts whose sentences are all repeated first
    ask: float = 0.6  # share of questions among the further exercises; the others repeat a sentence
    linked: float = 0.0  # share of contexts with a document about a person or town that another document names
    compare: float = 0.0  # share of the questions that compare two documents
    bridge: float = 0.0  # share of the questions that need a linked document
    words: float = 0.0  # share of exercises that repeat random words
    filler: float = 0.0  # share of framed questions and repeated sentences with random words before the reply
    lists: float = 0.0  # share of exercises on lists; a list states the same fact about several names
    listed: tuple[int, int] = (2, 6)  # names in a list
    asked_lists: float = 0.3  # share of questions among the exercises on a list; the others repeat a sentence


@dataclass(frozen=True)
class Thing:
    """The subject of a document, its facts and its sentences."""

    kind: str
    name: str
    values: dict[str, str]
    sentences: list[tuple[str, str]]  # (fact, sentence)

    @property
    def title(self) -> str:
        """The title of the passage about the subject."""
        return f"The {self.name} study" if self.kind == "study" else self.name


class Worlds:
    """Generates documents and questions from one random generator.

    `names`: set of names, "practice" for training, "study" for measurements on names outside the training data.
    """

    def __init__(self, seed: int, names: Realm = "practice") -> None:
        self.random = Random(seed)
        self._names = names  # "study" to measure on names outside the training

    def name(self, person: bool = False) -> str:
        """Returns a random name. 75% of the names have two syllables, the others three. `person` adds a given name."""
        short = self.random.random() < 0.75
        number = self.random.randrange(_SHORT_NAMES if short else 100 * _SHORT_NAMES)
        name = made_name(0, self._names, number)
        return f"{self.random.choice(GIVEN)} {name}" if person else name

    def sibling(self, name: str) -> str:
        """Returns another name with the same first syllable and, for persons, the same given name."""
        given, _, last = name.rpartition(" ")
        other = int(self._names == "study")
        start = next(start for start in sorted(STARTS, key=len, reverse=True) if last.startswith(start))
        ends = [end for i, end in enumerate(ENDS) if (i + STARTS.index(start)) % 2 == other and not last.endswith(end)]
        return f"{given} {start}{self.random.choice(ends)}".strip()

    def pick(self, forms: Forms) -> str:
        """Returns a random sentence template, out of those that pre-training may use."""
        return self.random.choice(forms.of("practice"))

    def value(self, fact: Fact) -> str:
        """Returns a random value for a fact."""
        if fact.values == "year":
            return str(self.random.randrange(1200, 1900))
        if fact.values in ("made", "town", "person"):
            return self.name(person=fact.values == "person")
        return self.random.choice(fact.values.split(", "))

    def thing(self, kind: str, name: str, facts: int, chosen: Sequence[Fact] = ()) -> Thing:
        """Returns a document with `facts` random facts, drawn from `chosen` or, by default, from all of its kind."""
        if kind == "study":
            return self._study(name, facts)
        chosen = self.random.sample(chosen or KINDS[kind], min(facts, len(KINDS[kind])))
        values = {fact.name: self.value(fact) for fact in chosen}
        sentences = [(fact.name, self.pick(fact.say).format(n=name, v=values[fact.name])) for fact in chosen]
        return Thing(kind, name, values, sentences)

    def _study(self, name: str, facts: int) -> Thing:
        random = self.random
        outcome = random.choice(list(phrasing.OUTCOMES))
        words = {"n": name, "t": random.choice(phrasing.REMEDIES), "c": random.choice(phrasing.COMPLAINTS)}
        size, head = str(random.randrange(20, 100)), self.name(person=True)
        forms = {
            "outcome": (phrasing.OUTCOMES[outcome], ""),
            "aim": (phrasing.AIM, ""),
            "size": (phrasing.SIZE, size),
            "head": (phrasing.HEAD, head),
        }
        chosen = ["outcome", *random.sample(["aim", "size", "head"], max(0, min(3, facts - 1)))]
        random.shuffle(chosen)
        sentences = [(key, self.pick(forms[key][0]).format(**words, v=forms[key][1])) for key in chosen]
        return Thing("study", name, {"outcome": outcome, **words}, sentences)

    def things(self, plan: Plan) -> list[Thing]:
        """Returns random documents for a context, in a random order."""
        random = self.random
        kind = random.choice(_KINDS) if random.random() < plan.same_kind else None
        facts = random.randint(*plan.facts)
        alike = kind in KINDS and random.random() < plan.same_facts
        chosen = random.sample(KINDS[kind], min(facts, 4)) if kind and alike else ()
        things: list[Thing] = []
        for _ in range(random.randint(*plan.documents)):
            own = kind or random.choice(_KINDS)
            name = self._another_name(plan, own, things)
            if name not in [thing.name for thing in things]:
                things.append(self.thing(own, name, facts, chosen))
        if random.random() < plan.linked:
            self._link(things, facts)
        random.shuffle(things)
        return things

    def _another_name(self, plan: Plan, kind: str, things: Sequence[Thing]) -> str:
        like = [thing.name for thing in things if (thing.kind == "person") == (kind == "person")]
        if like and self.random.random() < plan.siblings:
            return self.sibling(self.random.choice(like))
        return self.name(kind == "person")

    def _link(self, things: list[Thing], facts: int) -> None:
        """Adds a document about a person or town that another document names."""
        links = [(thing, fact) for thing in things for fact in KINDS.get(thing.kind, ()) if fact.name in thing.values]
        links = [(thing, fact) for thing, fact in links if fact.role]
        if links:
            thing, fact = self.random.choice(links)
            things.append(self.thing(fact.values, thing.values[fact.name], facts))

    def comparison(self, things: list[Thing]) -> tuple[str, str] | None:
        """Returns a question like `Which town makes glass, A or B?` and its answer; None if no two documents fit."""
        for first, second in combinations(self.random.sample(things, len(things)), 2):
            for fact in KINDS.get(first.kind, ()):
                mine, theirs = first.values.get(fact.name), second.values.get(fact.name)
                if first.kind == second.kind and fact.compare and mine and theirs and mine != theirs:
                    winner = min(first, second, key=lambda thing: thing.values[fact.name])
                    winner = winner if fact.values == "year" else self.random.choice([first, second])
                    a, b = self.random.sample([first.name, second.name], 2)
                    return self.pick(fact.compare).format(a=a, b=b, v=winner.values[fact.name]), winner.name
        return None

    def bridge(self, things: list[Thing]) -> tuple[str, str] | None:
        """Returns a question like `What did the founder of A become?` and its answer.

        None if no document names the subject of another.
        """
        named = {thing.name: thing for thing in things}
        for thing in self.random.sample(things, len(things)):
            for fact in KINDS.get(thing.kind, ()):
                other = named.get(thing.values.get(fact.name, ""))
                if fact.role and other and other.kind == fact.values:
                    linked = self.random.choice([spec for spec in KINDS[other.kind] if spec.name in other.values])
                    role = self.pick(fact.role).format(n=thing.name)
                    return self.pick(linked.ask).format(n=role), other.values[linked.name]
        return None

    def any_question(self, plan: Plan, things: list[Thing]) -> tuple[str, str]:
        """Returns a random question about the documents, and its answer."""
        drawn = self.random.random()
        if drawn < plan.compare:
            question = self.comparison(things)
        else:
            question = self.bridge(things) if drawn < plan.compare + plan.bridge else None
        return question or self.question(self.random.choice(things))

    def question(self, thing: Thing, fact: str = "") -> tuple[str, str]:
        """Returns a question about one fact of a document (by default a random one), and its answer."""
        fact = fact or self.random.choice(thing.sentences)[0]
        if thing.kind == "study":
            text = self.pick(phrasing.VERDICT).format(n=thing.values["n"], t=thing.values["t"], c=thing.values["c"])
            return text, thing.values["outcome"]
        spec = next(spec for spec in KINDS[thing.kind] if spec.name == fact)
        return self.pick(spec.ask).format(n=thing.name), thing.values[fact]

    def topic(self, thing: Thing, fact: str) -> str:
        """Returns the topic of a sentence, e.g. `the founding of Velmor`."""
        if thing.kind == "study":
            return f"the {fact} of the {thing.name} study"
        return next(spec for spec in KINDS[thing.kind] if spec.name == fact).topic.format(n=thing.name)

    def passages(self, things: list[Thing]) -> str:
        """Returns the documents as passages of the prompt mode plain_text."""
        blocks = []
        for number, thing in enumerate(things, start=1):
            text = " ".join(sentence for _, sentence in thing.sentences)
            blocks.append(f"Passage {number}: {thing.title} (paragraph 1)\n{text}\n\n")
        return "".join(blocks)
