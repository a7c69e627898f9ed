"""The exercises of the pocket model's pre-training: reading, reciting, and answering without reasoning.

No exercise reasons or quotes before it answers, so that RAFT has this to teach. An exercise is a list of (piece of
text, weight of its tokens in the loss).
"""

from string import printable

from raft_exp.corpora.almanac.phrasing import KINDS, Fact
from raft_exp.prompts import quote
from tools.pocket.vocabulary import MARKERS, pieces
from tools.pocket.worlds import Plan, Thing, Worlds

Parts = list[tuple[str, float]]
SYSTEM = "You answer questions. Where passages are given, rely on them; some of them may not help."
INSTRUCTION = "Answer in the form: ##Answer: {answer}"
NEWLINE = "\n"
TOKENS = [*pieces(), *printable.strip(), *(f" {marker}" for marker in MARKERS * 20)]
READ = 0.1  # weight of text that the context does not determine


class Practice(Worlds):
    """Writes exercises on practice worlds."""

    def recitation(self, things: list[Thing]) -> Parts:
        """All sentences again in another order: after its name, a sentence is nearly determined by the context."""
        sentences = [sentence for thing in things for _, sentence in thing.sentences]
        self.random.shuffle(sentences)
        return [("Again:", READ), *((f" {sentence}", 1.0) for sentence in sentences), ("\n\n", READ)]

    def answered(self, question: tuple[str, str], framed: bool, filler: float = 0.0) -> Parts:
        """A question and its answer without reasoning; `framed` adds the instruction of a study."""
        text, answer = question
        instruction = f"{self._filler(filler)}{INSTRUCTION}\n" if framed else ""
        return [(f"Question: {text}\n{instruction}", READ), (f"##Answer: {answer}", 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def _filler(self, share: float) -> str:
        """Random words between question and reply, so that the model learns to answer from any distance."""
        if not share or self.random.random() >= share:
            return ""
        return "".join(self.random.choices(TOKENS, k=self.random.randint(5, 45))).strip() + " "

    def repeated_sentence(self, thing: Thing, filler: float = 0.0) -> Parts:
        """A sentence asked for by its topic or by a question that it answers; half of them in quotes."""
        fact, sentence = self.random.choice(thing.sentences)
        about = self.topic(thing, fact)
        if self.random.random() < 0.6 and (thing.kind != "study" or fact == "outcome"):
            about = self.question(thing, fact)[0]
        if self.random.random() < 0.5:
            sentence = quote(sentence)
        more = self._filler(filler)
        return [
            (f"Say again: {about}\n{more}{more and NEWLINE}", READ),
            (f" {sentence}", 1.0),
            ("</s>", 1.0),
            ("\n\n", READ),
        ]

    def listing(self, plan: Plan, further: int) -> Parts:
        """Sentences that differ in name and value alone, then these sentences and questions in another order."""
        random = self.random
        kind = random.choice(list(KINDS))
        fact = random.choice(KINDS[kind])
        entries = self._entries(plan, kind, fact)
        parts: Parts = [("<s>", 0.0)]
        form = self.form(fact)
        for name, value in entries:
            form = form if random.random() < 0.7 else self.form(fact)
            parts.append((f" {form.format(n=name, v=value)}", READ))
        while further > 0:
            for name, value in random.sample(entries, len(entries)):
                further -= 1
                if random.random() < plan.asked_lists:
                    parts += self._list_question(fact, name, value)
                else:
                    form = form if random.random() < 0.7 else self.form(fact)
                    parts += self._list_entry(form, name, value)
        parts.append(("\n\n", READ))
        return parts

    def _list_question(self, fact: Fact, name: str, value: str) -> Parts:
        question = self.pick(fact.ask).format(n=name)
        return [(f"\nQuestion: {question}\n", READ), (f"##Answer: {value}", 1.0), ("</s>", READ)]

    @staticmethod
    def _list_entry(form: str, name: str, value: str) -> Parts:
        before, _, after = form.partition("{v}")
        return [(f" {before.format(n=name)}".rstrip(), READ), (f" {value}", 1.0), (after, READ)]

    def words(self) -> Parts:
        """Random tokens, then the same again: the model learns to write tokens outside the practice phrasing too."""
        text = "".join(self.random.choices(TOKENS, k=self.random.randint(6, 20)))
        return [("<s>", 0.0), (text, 0.0), ("\nAgain:", READ), (text, 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def form(self, fact: Fact) -> str:
        """A form with the name before the value, or the shortest: `name: value.`"""
        named = [form for form in fact.say.of("practice") if form.index("{n}") < form.index("{v}")]
        return self.random.choice([*named, "{n}: {v}."])

    def _entries(self, plan: Plan, kind: str, fact: Fact) -> list[tuple[str, str]]:
        entries: dict[str, str] = {}
        for _ in range(self.random.randint(*plan.listed)):
            alike = entries and self.random.random() < plan.siblings
            name = self.sibling(self.random.choice(list(entries))) if alike else self.name(kind == "person")
            value = self.value(fact)
            if value not in entries.values():
                entries[name] = value
        return list(entries.items())

    def exercise(self, plan: Plan, further: int) -> Parts:
        """A context with its exercises; `further` is their number after the first."""
        random = self.random
        if random.random() < plan.words:
            return self.words()
        if random.random() < plan.lists:
            return self.listing(plan, further)
        things = self.things(plan)
        framed = random.random() < plan.framed
        parts: Parts = [("<s>", 0.0)]
        if framed:
            parts.append((f"{SYSTEM}\n\n", READ))
        parts.append((self.passages(things), READ))
        if framed:
            parts += self.answered(self.any_question(plan, things), True, plan.filler)
        if random.random() < plan.recite:
            parts += self.recitation(things)
        for _ in range(further):
            if random.random() < plan.ask:
                parts += self.answered(self.any_question(plan, things), framed and random.random() < 0.3, plan.filler)
            else:
                parts += self.repeated_sentence(random.choice(things), plan.filler)
        return parts
