"""The worlds and exercises that the pocket model is pre-trained on: reading, reciting, and answering outright.

No exercise here reasons or quotes before it answers: that is what RAFT has to teach. A text is a list of
(piece of text, weight of its tokens in the loss).
"""

from dataclasses import dataclass
from random import Random

from raft_exp.corpora.almanac import phrasing
from raft_exp.corpora.almanac.names import ENDS, STARTS, GIVEN, made_name
from raft_exp.corpora.almanac.phrasing import KINDS, Fact, Forms

Parts = list[tuple[str, float]]
REALM = "practice"
SYSTEM = "You answer questions. Where passages are given, rely on them; some of them may not help."
INSTRUCTION = "Answer in the form: ##Answer: {answer}"
READ = 0.1  # weight of what nothing foretells but the language
_SHORT_NAMES = 2 * len(STARTS) * (len(ENDS) // 4)


@dataclass(frozen=True)
class Plan:
    """How hard the exercises are: part of the curriculum."""

    documents: tuple[int, int] = (2, 5)
    facts: tuple[int, int] = (2, 4)
    same_kind: float = 0.8  # share of contexts with one kind of document
    siblings: float = 0.2  # share of documents whose name begins like another's
    framed: float = 0.3  # share of contexts that ask one question exactly as a study does
    recite: float = 0.4  # share of contexts that first tell everything once more
    ask: float = 0.6  # of the further exercises: direct questions; the others ask to say a sentence again
    ask_first: float = 0.0  # share of contexts with the questions before the passages


@dataclass(frozen=True)
class Thing:
    kind: str
    name: str
    values: dict[str, str]
    told: list[tuple[str, str]]  # (fact, sentence)

    @property
    def title(self) -> str:
        return f"The {self.name} study" if self.kind == "study" else self.name


class Practice:
    """Writes exercises; one generator for everything."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._seed = seed

    def name(self, person: bool = False) -> str:
        short = self.random.random() < 0.75
        number = self.random.randrange(_SHORT_NAMES if short else 100 * _SHORT_NAMES)
        name = made_name(0, "practice", number)
        return f"{self.random.choice(GIVEN)} {name}" if person else name

    def sibling(self, name: str) -> str:
        """Another name with the same beginning (for persons also: the same given name)."""
        given, _, last = name.rpartition(" ")
        start = next(start for start in sorted(STARTS, key=len, reverse=True) if last.startswith(start))
        ends = [end for i, end in enumerate(ENDS) if (i + STARTS.index(start)) % 2 == 0 and not last.endswith(end)]
        return f"{given} {start}{self.random.choice(ends)}".strip()

    def pick(self, forms: Forms) -> str:
        return self.random.choice(forms.of("practice"))

    def value(self, fact: Fact) -> str:
        if fact.values == "year":
            return str(self.random.randrange(1200, 1900))
        if fact.values in ("made", "town", "person"):
            return self.name(person=fact.values == "person")
        return self.random.choice(fact.values.split(", "))

    def thing(self, kind: str, name: str, facts: int) -> Thing:
        if kind == "study":
            return self._study(name, facts)
        chosen = self.random.sample(KINDS[kind], min(facts, len(KINDS[kind])))
        values = {fact.name: self.value(fact) for fact in chosen}
        told = [(fact.name, self.pick(fact.say).format(n=name, v=values[fact.name])) for fact in chosen]
        return Thing(kind, name, values, told)

    def _study(self, name: str, facts: int) -> Thing:
        random = self.random
        outcome = random.choice(list(phrasing.OUTCOMES))
        words = {"n": name, "t": random.choice(phrasing.REMEDIES), "c": random.choice(phrasing.COMPLAINTS)}
        size, head = str(random.randrange(20, 100)), self.name(person=True)
        forms = {"outcome": (phrasing.OUTCOMES[outcome], ""), "aim": (phrasing.AIM, ""),
                 "size": (phrasing.SIZE, size), "head": (phrasing.HEAD, head)}  # fmt: skip
        chosen = ["outcome", *random.sample(["aim", "size", "head"], max(0, min(3, facts - 1)))]
        random.shuffle(chosen)
        told = [(key, self.pick(forms[key][0]).format(**words, v=forms[key][1])) for key in chosen]
        return Thing("study", name, {"outcome": outcome, **words}, told)

    def things(self, plan: Plan) -> list[Thing]:
        random = self.random
        kinds = [*KINDS, "study"]
        kind = random.choice(kinds) if random.random() < plan.same_kind else None
        facts = random.randint(*plan.facts)
        made: list[Thing] = []
        for _ in range(random.randint(*plan.documents)):
            own = kind or random.choice(kinds)
            like = [thing.name for thing in made if (thing.kind == "person") == (own == "person")]
            if like and random.random() < plan.siblings:
                name = self.sibling(random.choice(like))
            else:
                name = self.name(own == "person")
            if name not in [thing.name for thing in made]:
                made.append(self.thing(own, name, facts))
        return made

    def question(self, thing: Thing) -> tuple[str, str]:
        """A single-fact question and its answer."""
        fact = self.random.choice(list(thing.told))[0]
        if thing.kind == "study":
            text = self.pick(phrasing.VERDICT).format(n=thing.values["n"], t=thing.values["t"], c=thing.values["c"])
            return text, thing.values["outcome"]
        spec = next(spec for spec in KINDS[thing.kind] if spec.name == fact)
        return self.pick(spec.ask).format(n=thing.name), thing.values[fact]

    def topic(self, thing: Thing, fact: str) -> str:
        if thing.kind == "study":
            return f"the {fact} of the {thing.name} study"
        return next(spec for spec in KINDS[thing.kind] if spec.name == fact).topic.format(n=thing.name)

    def passages(self, things: list[Thing]) -> str:
        blocks = []
        for number, thing in enumerate(things, start=1):
            text = " ".join(sentence for _, sentence in thing.told)
            blocks.append(f"Passage {number}: {thing.title} (paragraph 1)\n{text}\n\n")
        return "".join(blocks)

    def recitation(self, things: list[Thing]) -> Parts:
        """Every sentence once more, in another order: after a name, most of it can be foretold."""
        sentences = [sentence for thing in things for _, sentence in thing.told]
        self.random.shuffle(sentences)
        return [("Again:", READ), *((f" {sentence}", 1.0) for sentence in sentences), ("\n\n", READ)]

    def asked(self, thing: Thing, framed: bool) -> Parts:
        text, answer = self.question(thing)
        instruction = f"{INSTRUCTION}\n" if framed else ""
        return [(f"Question: {text}\n{instruction}", READ), (f"##Answer: {answer}", 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def said_again(self, thing: Thing) -> Parts:
        fact, sentence = self.random.choice(thing.told)
        return [(f"Say again: {self.topic(thing, fact)}\n", READ), (f" {sentence}", 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def exercise(self, plan: Plan, further: int) -> Parts:
        """One context with what is done on it; `further` is the number of exercises after the first."""
        random = self.random
        things = self.things(plan)
        framed = random.random() < plan.framed
        parts: Parts = [("<s>", 0.0)]
        if framed:
            parts.append((f"{SYSTEM}\n\n", READ))
        parts.append((self.passages(things), READ))
        if framed:
            parts += self.asked(random.choice(things), True)
        if random.random() < plan.recite:
            parts += self.recitation(things)
        for _ in range(further):
            thing = random.choice(things)
            parts += self.asked(thing, framed) if random.random() < plan.ask else self.said_again(thing)
        return parts
