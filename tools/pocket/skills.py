"""Measures the skills of the pocket model before fine-tuning, on names that are not in its training data."""

from dataclasses import dataclass
from statistics import NormalDist

import torch

from raft_exp.corpora.almanac.phrasing import KINDS
from raft_exp.prompts import BEGIN_QUOTE, END_QUOTE
from tools.pocket.network import Network
from tools.pocket.practice import INSTRUCTION, SYSTEM, Practice
from tools.pocket.training import Encoder
from tools.pocket.worlds import Thing


@dataclass(frozen=True)
class Skill:
    """The share of exact replies of one skill, with a 95% Wilson interval.

    `chance`: expected share for a random choice of document. `items`: number of questions.
    """

    name: str
    value: float
    low: float
    high: float
    chance: float
    items: int


def measure(network: Network, encoder: Encoder, items: int = 300, seed: int = 0) -> list[Skill]:
    """Measures all skills with `items` questions each. A greedy reply is right if it is exact, with its end token."""
    skills = []
    for documents, siblings in ((1, False), (2, False), (5, False), (5, True), (8, False)):
        name = f"answer about one of {documents} documents of a kind" + (", names alike" if siblings else "")
        right = sum(_choice(network, encoder, seed + item, documents, siblings) for item in range(items))
        skills.append(_skill(name, right, items, 1 / documents))
    for documents in (1, 5):
        name = f"say again a sentence of one of {documents} documents of a kind"
        right = sum(_again(network, encoder, seed + item, documents) for item in range(items))
        skills.append(_skill(name, right, items, 1 / documents))
    return skills


def _skill(name: str, right: int, items: int, chance: float) -> Skill:
    z, share = NormalDist().inv_cdf(0.975), right / items
    centre, spread = share + z * z / (2 * items), z * (share * (1 - share) / items + z * z / (4 * items**2)) ** 0.5
    scale = 1 + z * z / items
    return Skill(name, share, (centre - spread) / scale, (centre + spread) / scale, chance, items)


def same_kind(practice: Practice, documents: int, siblings: bool) -> tuple[list[Thing], str]:
    """Returns documents of one kind with the same facts, and the name of a fact whose value differs among them.

    `siblings`: whether the documents' names begin with the same syllable.
    """
    random = practice.random
    kind = random.choice(list(KINDS))
    fact = random.choice(KINDS[kind])
    things: dict[str, Thing] = {}
    while len(things) < documents:
        alike = siblings and things
        name = practice.sibling(random.choice(list(things))) if alike else practice.name(kind == "person")
        thing = practice.thing(kind, name, len(KINDS[kind]))
        if thing.values[fact.name] not in [other.values[fact.name] for other in things.values()]:
            things[name] = thing
    return random.sample(list(things.values()), documents), fact.name


def _choice(network: Network, encoder: Encoder, seed: int, documents: int, siblings: bool) -> bool:
    practice = Practice(seed, names="study")
    things, fact = same_kind(practice, documents, siblings)
    thing = practice.random.choice(things)
    question = practice.question(thing, fact)[0]
    prompt = f"<s>{SYSTEM}\n\n{practice.passages(things)}Question: {question}\n{INSTRUCTION}\n"
    return _writes(network, encoder, prompt, f"##Answer: {thing.values[fact]}</s>")


def _again(network: Network, encoder: Encoder, seed: int, documents: int) -> bool:
    practice = Practice(seed, names="study")
    things, fact = same_kind(practice, documents, siblings=False)
    thing = practice.random.choice(things)
    # The training data has sentences with and without quotation marks; this prompt ends with a quotation mark.
    prompt = f"<s>{practice.passages(things)}Say again: {practice.topic(thing, fact)}\n {BEGIN_QUOTE}"
    return _writes(network, encoder, prompt, f" {dict(thing.sentences)[fact]} {END_QUOTE}</s>")


def _writes(network: Network, encoder: Encoder, prompt: str, reply: str) -> bool:
    """Returns whether greedy decoding after the prompt gives exactly this reply."""
    before, after = encoder([(prompt, 0.0)])[0], encoder([(reply, 0.0)])[0]
    ids = torch.tensor([before + after])
    with torch.no_grad():
        logits = network(ids[:, :-1], torch.arange(len(before) - 1, ids.shape[1] - 1))
    return bool((logits.argmax(-1) == ids[0, len(before) :]).all())
