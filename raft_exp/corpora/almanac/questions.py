"""The almanac's questions: single facts, two-hop bridges, comparisons, and yes/no/maybe questions about studies."""

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

from raft_exp.core.records import Question
from raft_exp.corpora.almanac import phrasing
from raft_exp.corpora.almanac.names import draw
from raft_exp.corpora.almanac.phrasing import KINDS, Fact
from raft_exp.corpora.almanac.world import World

_GIVEN = 8  # hard distractors of a question: siblings of the gold entities and others of their kind
_SINGLE = 2  # single-fact questions of an entity, beside one bridge or comparison question


def questions_about(world: World, number: int) -> Iterator[Question]:
    """Yields all questions about an entity, in a fixed order."""
    kind = world.kind(number)
    if kind == "study":
        yield _study(world, number)
        return
    facts = sorted(KINDS[kind], key=lambda fact: draw(world.seed, "asked", number, fact.name))
    for fact in facts[:_SINGLE]:
        yield single(world, number, fact)
    two_hop = _bridge_from(world, number, facts), _comparison_with(world, number, facts)
    first = draw(world.seed, "several", number) % 2
    question = two_hop[first] or two_hop[1 - first]
    if question is not None:
        yield question


def _bridge_from(world: World, number: int, facts: Sequence[Fact]) -> Question | None:
    for fact in facts:
        other = world.other(number, fact)
        if other is not None:
            return bridge(world, number, fact, other)
    return None


def _comparison_with(world: World, number: int, facts: Sequence[Fact]) -> Question | None:
    fact = next(fact for fact in facts if fact.compare)
    alike = world.alike(number, world.kind(number), world.split(number))
    other = next((other for other in alike if other // 2 != number // 2), None)
    if other is None or world.value(number, fact) == world.value(other, fact):
        return None
    return comparison(world, number, fact, other)


def single(world: World, number: int, fact: Fact) -> Question:
    """Returns a question about one fact, such as `When was Velmor founded?`"""
    text = world.pick(fact.ask, number, fact.name, "ask").format(n=world.name(number))
    return _question(world, f"single-{number}-{fact.name}", text, world.value(number, fact), [(number, fact.name)])


def bridge(world: World, number: int, link: Fact, other: int) -> Question:
    """Returns a two-hop question, such as `What was the profession of the founder of Velmor?`

    Velmor's document names the founder; the founder's document states the profession.
    """
    assert link.role is not None
    # Facts whose value is the first entity are left out: the question would name its own answer.
    facts = [fact for fact in KINDS[world.kind(other)] if world.other(other, fact) != number]
    fact = facts[draw(world.seed, "bridge", number, link.name) % len(facts)]
    role = world.pick(link.role, number, link.name, "role").format(n=world.name(number))
    text = world.pick(fact.ask, number, link.name, "bridge").format(n=role)
    evidence = [(number, link.name), (other, fact.name)]
    return _question(world, f"bridge-{number}-{link.name}-{fact.name}", text, world.value(other, fact), evidence)


def comparison(world: World, number: int, fact: Fact, other: int) -> Question:
    """Returns a question about two entities, such as `Which town is older, Velmor or Daskin?`"""
    assert fact.compare is not None
    mine, theirs = world.value(number, fact), world.value(other, fact)
    chance = draw(world.seed, "compared", number)
    winner = (number if mine < theirs else other) if fact.values == "year" else (number, other)[chance % 2]
    first, second = (number, other) if chance & 2 else (other, number)
    text = world.pick(fact.compare, number, fact.name, "compare").format(
        a=world.name(first), b=world.name(second), v=world.value(winner, fact)
    )
    evidence = [(first, fact.name), (second, fact.name)]
    return _question(world, f"comparison-{number}-{fact.name}-{other}", text, world.name(winner), evidence)


def _study(world: World, number: int) -> Question:
    """Returns a yes/no/maybe question, such as `Does honey help against cough, according to the Velmor study?`"""
    text = world.pick(phrasing.VERDICT, number, "verdict").format(**world.study_words(number))
    return _question(world, f"study-{number}", text, world.outcome(number), [(number, "outcome")])


def _question(world: World, key: str, text: str, answer: str, evidence: Sequence[tuple[int, str]]) -> Question:
    entities = list(dict.fromkeys(number for number, _ in evidence))
    return Question(
        id=key,
        question=text,
        answers=[answer],
        gold=[f"{world.id(number)}#1" for number in entities],
        split=world.split(entities[0]),
        given=[f"{world.id(number)}#1" for number in _hard(world, key, entities)],
        evidence=[world.place(number, fact) for number, fact in evidence],
        slices={"kind": key.partition("-")[0]},
    )


def _hard(world: World, key: str, gold: Sequence[int]) -> list[int]:
    """Returns hard distractors in a random order drawn by `key`: documents of the same kind and split as the gold."""
    streams = [(other for other in _sibling_first(world, number) if other not in gold) for number in gold]
    mixed = (other for row in zip_longest(*streams) for other in row if other is not None)
    chosen = list(islice(dict.fromkeys(islice(mixed, 2 * _GIVEN)), _GIVEN))
    return sorted(chosen, key=lambda other: draw(world.seed, "given", key, other))


def _sibling_first(world: World, number: int) -> Iterator[int]:
    sibling = number ^ 1
    if sibling < world.size:
        yield sibling
    yield from (other for other in world.alike(number, world.kind(number), world.split(number)) if other != sibling)
