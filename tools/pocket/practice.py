"""The exercises of the pocket model's pre-training: read documents, repeat sentences, answer without reasoning.

No exercise contains reasoning or quotes before an answer; fine-tuning with RAFT teaches them. An exercise is a list of
(text, weight of its tokens in the loss).
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
    """Generates exercises about random documents (`Worlds`)."""

    def recitation(self, things: list[Thing]) -> Parts:
        """Returns an exercise that repeats all sentences of the documents in a random order.

        Once the subject of a sentence is written, the context nearly determines the rest of the sentence.
        """
        sentences = [sentence for thing in things for _, sentence in thing.sentences]
        self.random.shuffle(sentences)
        return [("Again:", READ), *((f" {sentence}", 1.0) for sentence in sentences), ("\n\n", READ)]

    def answered(self, question: tuple[str, str], framed: bool, filler: float = 0.0) -> Parts:
        """Returns an exercise that answers a question without reasoning. `question`: (text, answer).

        `framed` adds the instruction that prompts of a study have. `filler`: probability of random words before the
        reply.
        """
        text, answer = question
        instruction = f"{self._filler(filler)}{INSTRUCTION}\n" if framed else ""
        return [(f"Question: {text}\n{instruction}", READ), (f"##Answer: {answer}", 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def _filler(self, share: float) -> str:
        """Returns, with probability `share`, random words to stand between question and reply; "" otherwise.

        With them the model learns to answer a question that does not directly precede its reply.
        """
        if not share or self.random.random() >= share:
            return ""
        return "".join(self.random.choices(TOKENS, k=self.random.randint(5, 45))).strip() + " "

    def repeated_sentence(self, thing: Thing, filler: float = 0.0) -> Parts:
        """Returns an exercise that repeats one sentence of a document.

        The prompt names the sentence by its topic or by a question that it answers. In half of the exercises the
        sentence stands between quotation markers.
        """
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
        """Returns a list of sentences that differ only in name and value, then at least `further` exercises on them.

        An exercise repeats a sentence of the list, or asks for its value.
        """
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
        """Returns an exercise that repeats random tokens, so that the model learns to copy any token."""
        text = "".join(self.random.choices(TOKENS, k=self.random.randint(6, 20)))
        return [("<s>", 0.0), (text, 0.0), ("\nAgain:", READ), (text, 1.0), ("</s>", 1.0), ("\n\n", READ)]

    def form(self, fact: Fact) -> str:
        """Returns a random sentence template of the fact that has the name before the value, or `name: value.`"""
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
        """Returns a random context with exercises about it. `further`: number of exercises after the first."""
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
