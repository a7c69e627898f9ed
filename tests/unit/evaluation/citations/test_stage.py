"""The stage `citations` with a tiny model: its rows, and the same bytes after a kill."""

import json
from pathlib import Path

import pytest

from raft_exp.core.records import Answer, ContextPassage, Example, write_jsonl
from raft_exp.evaluation.citations import stage as citations_stage
from raft_exp.evaluation.citations.stage import CITATIONS, CitationsStage, citations, read_citations
from raft_exp.models import nli
from raft_exp.models.nli import NliConfig, Verdict
from tests.helpers import cross_encoder as tiny

NUMBER = 150  # questions: more than two slices


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> CitationsStage:
    pytest.importorskip("sentence_transformers", reason="pip install 'raft_exp[dense]'")
    folder = tiny.write(tmp_path_factory.mktemp("nli"), names=tiny.NLI, seed=16)
    return CitationsStage(NliConfig(str(folder), accelerator="cpu"), "paper", "I don't know.", 3)


def raw(number: int) -> str:
    quotes = [f"##begin_quote## Mill {number} was built in {1500 + number}. ##end_quote##"]
    quotes += ["##begin_quote## Mice do not talk. ##end_quote##"] * (number % 3)
    reason = f"{' '.join(quotes)} So mill {number} is an old one."
    return f"##Reason: {reason} ##Answer: {'I do not know.' if number % 7 == 6 else 1500 + number}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """The test rows of a study, and an arm's answers to all but the last question."""
    root = tmp_path_factory.mktemp("study")
    for name in ("test", "answers"):
        (root / name).mkdir()
    rows = []
    for number in range(NUMBER):
        gold = ContextPassage(f"g{number}", "g", "Mills", f"Mill {number} was built in {1500 + number}.", True)
        other = ContextPassage(f"o{number}", "o", "Mice", "Mice do not talk. They run.", False)
        question = f"When was mill {number} built?"
        answers = [str(1500 + number)]
        rows.append(Example(f"q{number}", question, answers, [other, gold], True, "", True, [], "test"))
    write_jsonl(root / "test" / "rows.jsonl", rows)
    replies = (Answer(f"q{number}", raw(number), False, 1, 1) for number in range(NUMBER - 1))
    write_jsonl(root / "answers" / "answers.jsonl", replies)
    return {name: root / name for name in ("test", "answers")}


@pytest.fixture(scope="module")
def made(config, folders, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out")
    citations(config, **folders, out=out)
    return out


def test_rows_have_the_decisions_of_the_model_for_each_claim(config, made):
    rows = list(read_citations(made))
    assert [row["id"] for row in rows] == [f"q{number}" for number in range(NUMBER - 1)]
    entails = nli.load(config.nli)
    decided = set()
    for number in (0, 1, 3, 4, 147):
        claims = rows[number]["claims"]
        gold, other = f"g{number}", f"o{number}"
        cited = [other, gold] if number % 3 else [gold]
        assert [claim["passages"] for claim in claims] == [cited, cited]
        texts = {
            gold: f"Mills\nMill {number} was built in {1500 + number}.",
            other: "Mice\nMice do not talk. They run.",
        }
        for claim, asked in zip(claims, (f"So mill {number} is an old one.", f"{1500 + number}"), strict=True):
            assert claim["claim"] == asked
            wanted = f"When was mill {number} built? {asked}" if claim["answer"] else asked
            alone = [verdict.entailed for verdict in entails([(texts[name], wanted) for name in cited])]
            together = entails([("\n".join(texts[name] for name in cited), wanted)])[0].entailed
            assert claim["supported"] == (any(alone) or together)
            decided.add(claim["supported"])
    assert decided == {True, False}, "the model supports some claims"
    assert rows[6]["claims"] == [], "a refusal has no claims"
    counts = json.loads((made / "counts.json").read_text())
    assert counts["replies"] == NUMBER - 1
    assert counts["claims"] == sum(len(row["claims"]) for row in rows)


@pytest.mark.parametrize("lines", [30, 64, 148])
def test_a_killed_stage_continues_and_writes_the_same_bytes(config, folders, made, tmp_path, monkeypatch, lines):
    whole = (made / CITATIONS).read_bytes()
    parts = whole.splitlines(keepends=True)
    (tmp_path / CITATIONS).write_bytes(b"".join(parts[:lines]) + b"".join(parts[lines : lines + 1])[:20])
    asked = []
    load = nli.load

    def counted(of):
        entails = load(of)
        return lambda pairs: asked.extend(pairs) or entails(pairs)

    monkeypatch.setattr(citations_stage, "load", counted)
    citations(config, **folders, out=tmp_path)
    assert (tmp_path / CITATIONS).read_bytes() == whole
    assert len(asked) < 100 if lines >= 128 else len(asked) > 100


def test_replies_without_claims_need_no_answer_of_the_model(config, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(citations_stage, "load", lambda of: lambda pairs: [Verdict(True, True) for _ in pairs])
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "answers.jsonl").write_text("")
    citations(config, test=folders["test"], answers=tmp_path / "answers", out=tmp_path)
    assert json.loads((tmp_path / "counts.json").read_text()) == {"replies": 0, "claims": 0, "citations": 0, "cut": 0}
