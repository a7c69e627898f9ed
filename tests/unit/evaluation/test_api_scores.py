"""Scores of API calls: on the real files they equal an independent computation, for replies of many kinds."""

import ast
import gzip
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import tree_sitter_python
from tree_sitter import Language, Node, Parser

from raft_exp.core import collection
from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, Passage, Question, write_jsonl
from raft_exp.corpora.apibench.documentation import Api
from raft_exp.evaluation import scoring
from raft_exp.evaluation.api_documentation import ApiDocumentation, documentation_for
from raft_exp.evaluation.api_domain import DomainRule
from raft_exp.evaluation.metrics import METRICS, PROFILES
from raft_exp.evaluation.scoring import Grading
from raft_exp.evaluation.scoring.behaviour import behaviour
from tests.helpers.report_study import Study, example, results

HUBS = {"huggingface": "huggingface_api", "tensorflow": "tensorflowhub_api", "torchhub": "torchhub_api"}
PARTS = ("huggingface_eval", "tensorflow_eval", "torchhub_eval", "torchhub_train")
LANGUAGE = Language(tree_sitter_python.language())


# An independent computation: Python itself binds the arguments of a call to the parameters of these functions.


def _hub_load(repo_or_dir: str, model: str = "", *rest: object, **options: object) -> tuple[str, ...]:
    return repo_or_dir, model


def _handle(handle: str, *rest: object, **options: object) -> tuple[str, ...]:
    return (handle,)


def _pipeline(task: str = "", model: str = "", *rest: object, **options: object) -> tuple[str, ...]:
    return task, model


def _pretrained(pretrained_model_name_or_path: str, *rest: object, **options: object) -> tuple[str, ...]:
    return (pretrained_model_name_or_path,)


def _any(*values: str, **options: str) -> tuple[str, ...]:
    named = ("model", "model_tag", "repo_id", "segmentation", "source", "task")
    return (*values, *(options[name] for name in named if name in options))


SIGNATURES = {"torch.hub.load": _hub_load, "hub.load": _handle, "hub.KerasLayer": _handle, "pipeline": _pipeline}


@cache
def key(text: str) -> tuple[object, ...] | None:
    """What identifies a text that is one call; None for a text that Python cannot parse as a call."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(call, ast.Call):
        return None
    name = ast.unparse(call.func)
    function = SIGNATURES.get(name, _pretrained if name.endswith(".from_pretrained") else _any)
    options = {word.arg: _plain(word.value) for word in call.keywords if word.arg}
    return name, *function(*map(_plain, call.args), **options)  # type: ignore[operator]


def _plain(value: ast.expr) -> str:
    return ast.unparse(value).strip("'\"").replace(" ", "") if not isinstance(value, ast.Call) else ast.unparse(value)


@dataclass
class Row:
    """A line of the real files."""

    id: str
    hub: str
    call: str
    domain: str
    keys: set[object]  # of its call, and of the documentation with its name and description


@dataclass
class Real:
    """The real files: their lines, the documentation of each hub, and the product's grader."""

    rows: list[Row]
    documents: dict[str, list[dict[str, Any]]]
    grader: ApiDocumentation

    @cached_property
    def domains(self) -> dict[str, dict[object, set[str]]]:
        """For each hub: key of a call -> its domains."""
        made: dict[str, dict[object, set[str]]] = {hub: defaultdict(set) for hub in self.documents}
        for hub, rows in self.documents.items():
            for row in rows:
                if (of_call := key(row["api_call"])) is not None:
                    made[hub][of_call].add(row["domain"])
        return made

    def others(self, row: Row, same_domain: bool) -> list[str]:
        """Calls of other APIs of the hub, of the domain of the line or of other domains."""
        return [
            call
            for call, of_call, domains in self.known[row.hub]
            if of_call not in row.keys and (row.domain in domains) == same_domain
        ]

    @cached_property
    def known(self) -> dict[str, list[tuple[str, object, set[str]]]]:
        """For each hub: the calls that Python can parse, once each, with their keys and domains."""
        calls = {hub: dict.fromkeys(row["api_call"] for row in rows) for hub, rows in self.documents.items()}
        return {
            hub: [(call, made, self.domains[hub][made]) for call in own if (made := key(call)) is not None]
            for hub, own in calls.items()
        }

    @cached_property
    def matched(self) -> dict[str, list[tuple[bytes | None, list[bytes], str]]]:
        """For each hub, what the authors' rule reads of the documentation: function, arguments and domain."""
        return {hub: [*_matched(hub, rows)] for hub, rows in self.documents.items()}


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


@pytest.fixture(scope="module")
def real(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    from raft_exp.corpora.apibench import Apibench, ApibenchConfig

    folder, data = tmp_path_factory.mktemp("apis"), test_data / "apibench" / "data"
    config = ApibenchConfig("apibench", str(data), "all", None, 0.0, 0.5, None, "x")
    corpus = Apibench(config, 0)
    collection.write_passages(folder, corpus.passages())
    write_jsonl(folder / "questions.jsonl", [replace(question, split="test") for question in corpus.questions()])
    documents = {hub: _read(data / "api" / f"{name}.jsonl.gz") for hub, name in HUBS.items()}
    rows = []
    for part in PARTS:
        hub, _, name = part.partition("_")
        for number, line in enumerate(_read(data / "apibench" / f"{part}.json.gz"), start=1):
            api = line["api_data"]
            like = [
                document["api_call"]
                for document in documents[hub]
                if document == api
                or (document["api_name"], document["description"]) == (api["api_name"], api["description"])
            ]
            keys: set[object] = {made for call in (line["api_call"], *like) if (made := key(call)) is not None}
            rows.append(Row(f"{hub}:{name}:{number}", hub, line["api_call"], api["domain"], keys))
    return Real(rows, documents, ApiDocumentation(folder, folder))


# The authors' rule, restated plainly: every line of the documentation looks through all subtrees.


def _matched(hub: str, documents: list[dict[str, Any]]) -> Iterator[tuple[bytes | None, list[bytes], str]]:
    for document in documents:
        call = _tree(document["api_call"]).children[0].children[0]
        if call.child_count:
            arguments = [_value(node, hub) for node in call.children[1].children if _counts(node, hub)]
            if arguments:
                yield call.children[0].text, [argument.strip(b"'") for argument in arguments], document["domain"]


def authors(real: Real, hub: str, reply: str, domain: str) -> str:
    code = reply
    if "api_call" in reply:
        code = reply.split("api_call")[1].split("api_provider")[0]
        code = code[(code.index(":") if ":" in code else 0) + 2 : (code.rindex(")") + 1 if ")" in code else -1)]
    subtrees = _subtrees(_tree(code))
    heads = [(tree.children[0].text if tree.children else None, tree.text or b"") for tree in subtrees]
    for function, arguments, of_line in real.matched[hub]:
        text = [*(text for head, text in heads if head == function), heads[-1][1]][0]
        if all(argument in text for argument in arguments):
            return "right" if of_line == domain else "wrong"
    return "hallucination"


def _tree(code: str) -> Node:
    return Parser(LANGUAGE).parse(code.encode()).root_node


def _subtrees(node: Node) -> list[Node]:
    inner = [child for child in node.children if child.children]
    return [node, *(tree for child in reversed(inner) for tree in _subtrees(child))]


def _counts(node: Node, hub: str) -> bool:
    text = node.text or b""
    return b"repo_or_dir" in text or b"model" in text if hub == "torchhub" else text not in (b"(", b")", b",")


def _value(node: Node, hub: str) -> bytes:
    text = node.text or b""
    named = b"=" in text if hub == "huggingface" else hub == "torchhub" or b"model=" in text
    return (node.children[2].text if named else text) or b""


# Replies


Made = Callable[[Real, Row, random.Random], tuple[str, str] | None]  # -> reply and its class; None: the line has none


def _whole(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return row.call, "right"


def _parsed(row: Row) -> bool:
    return key(row.call) is not None


def _options(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (
        (row.call.strip()[:-1].rstrip(",") + ", an_option=[1, 'x'])", "right")
        if _parsed(row) and "()" not in row.call
        else None
    )


def _wrong_argument(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    reply = re.sub(r"'([^',]*)'", r"'\1-zzz'", row.call)
    made = key(reply)
    return (
        (reply, "invented") if made is not None and made not in row.keys and made not in real.domains[row.hub] else None
    )


def _wrong_function(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (f"Invented{row.call}", "invented") if _parsed(row) and "(" not in row.call.partition("(")[2] else None


def _same_domain(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    others = real.others(row, True)
    return (chance.choice(others), "same_domain") if others else None


def _other_api(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return chance.choice(real.others(row, False)), "other_api"


def _code(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    before = "from somewhere import prepare\ntokenizer = prepare('some-text')\n"
    return (
        (f"{before}model = {row.call}\nfor x in range(3):\n    print(model(tokenizer))\n", "right")
        if _parsed(row)
        else None
    )


def _prose(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (f"It's simple (I think): call `{row.call}` and you're done.", "right") if _parsed(row) else None


def _fenced(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (
        (f"You need this:\n\n```python\nmodel = {row.call}\n```\nDon't forget the input.", "right")
        if _parsed(row)
        else None
    )


def _marked(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    text = f"<<<domain>>>: X\n<<<api_call>>>: {row.call}\n<<<api_provider>>>: Someone\n<<<explanation>>>: It's good."
    return (text, "right") if _parsed(row) else None


def _syntax(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (row.call.strip()[:-1], "unparsed") if _parsed(row) and row.call.count("(") == 1 else None


def _quote_left_open(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    left_open = _parsed(row) and row.call.count("'") == 2 and row.call.count("(") == 1
    return (row.call.replace("'", "", 1), "unparsed") if left_open else None


def _first_right(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (f"a = {row.call}\nb = {chance.choice(real.others(row, False))}", "right") if _parsed(row) else None


def _first_wrong(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return (f"a = {chance.choice(real.others(row, False))}\nb = {row.call}", "other_api") if _parsed(row) else None


def _empty(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return chance.choice(["", " ", "\n"]), "unparsed"


def _words(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return "I do not know which API does this.", "unparsed"


KINDS: list[Made] = [
    _whole,
    _options,
    _wrong_argument,
    _wrong_function,
    _same_domain,
    _other_api,
    _code,
    _prose,
    _fenced,
]
KINDS += [_marked, _syntax, _quote_left_open, _first_right, _first_wrong, _empty, _words]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.strip("_"))
def test_scores_equal_an_independent_computation(real, kind):
    made = [(row, reply) for row in real.rows if (reply := kind(real, row, random.Random(row.id))) is not None]
    tried = made[:: max(1, len(made) // 210)]
    assert len(tried) >= 200
    for row, (reply, expected) in tried:
        grade = real.grader.grade(row.id, reply, reply)
        assert grade.call == grade.lenient == expected, (row.id, reply)
        assert grade.domain == authors(real, row.hub, reply, row.domain), (row.id, reply)


def shares(real: Real, kind: Made, part: str) -> tuple[int, int, int]:
    """Rows, and how many are right by the authors' rule and by the strict one. `part`: hub and file."""
    rows = [row for row in real.rows if row.id.startswith(part)]
    made = [(row, kind(real, row, random.Random(row.id)) or ("", "")) for row in rows]
    grades = [real.grader.grade(row.id, reply, reply) for row, (reply, _) in made]
    return len(rows), sum(grade.domain == "right" for grade in grades), sum(grade.call == "right" for grade in grades)


def _zzz(real: Real, row: Row, chance: random.Random) -> tuple[str, str] | None:
    return re.sub(r"'([^']*)'", r"'\1-zzz'", row.call), ""


# The figures of the authors' own scripts on these files (tree-sitter 0.26, tree-sitter-python 0.25).
@pytest.mark.parametrize(
    ("part", "kind", "figures"),
    [
        ("huggingface:eval", _whole, (447, 428, 447)),  # 95.7%
        ("tensorflow:eval", _whole, (341, 327, 341)),  # 95.9%
        ("torchhub:eval", _whole, (89, 89, 89)),  # 100%
        ("torchhub:train", _whole, (401, 401, 401)),
        ("huggingface:eval", _zzz, (447, 424, 15)),  # 94.9%; 15 calls have no name in quotation marks
        ("tensorflow:eval", _zzz, (341, 327, 0)),
        ("torchhub:eval", _zzz, (89, 89, 0)),
        ("torchhub:train", _zzz, (401, 401, 0)),
    ],
)
def test_the_authors_rule_accepts_invented_names(real, part, kind, figures):
    assert shares(real, kind, part) == figures


def test_the_authors_rule_accepts_nearly_every_api_of_the_domain(real):
    for part, least in (("huggingface:eval", 0.93), ("tensorflow:eval", 0.95), ("torchhub:eval", 0.95)):
        rows, by_domain, strict = shares(real, _same_domain, part)
        assert by_domain >= least * rows
        assert strict == 0


# Replies of an arm


NET = "torch.hub.load(repo_or_dir='pytorch/vision', model='{}', pretrained=True)"


def studied(folder: Path) -> Path:
    """The passages of four APIs, two of them of one domain, and a question of each hub about the first one."""
    apis = [("A", "one"), ("A", "two"), ("B", "three")]
    sentences = [
        [f"domain: {domain}\n", f"api_call: {NET.format(name)}\n", "description: It."] for domain, name in apis
    ]
    made = [
        Passage(f"{hub}:{n}", f"{hub}:{n}", "", "".join(parts), "", parts, "made")
        for hub in HUBS
        for n, parts in enumerate(sentences, start=1)
    ]
    collection.write_passages(folder, made)
    questions = [
        Question(
            f"{hub}:q", "Which net?", [NET.format("one")], [f"{hub}:1"], "test", slices={"hub": hub, "domain": "A"}
        )
        for hub in HUBS
    ]
    write_jsonl(folder / "questions.jsonl", questions)
    return folder


def asked(hub: str = "torchhub") -> Example:
    return example(0, NET.format("one"), id=f"{hub}:q", question="Which net?", slices={"hub": hub, "domain": "A"})


def grading(folder: Path) -> Grading:
    return Grading(PROFILES["apibench"], shown=True, reply_format="paper", apis=ApiDocumentation(folder, folder))


@pytest.mark.parametrize(
    ("raw", "call", "domain", "metrics"),
    [
        (f"##Answer: {NET.format('one')}", "right", "right", (1, 1, 1)),
        (f"##Answer: {NET.format('two')}", "same_domain", "right", (0, 1, 0)),
        (f"##Answer: {NET.format('three')}", "other_api", "wrong", (0, 0, 0)),
        (f"##Answer: {NET.format('one-zzz')}", "invented", "right", (0, 1, 0)),
        (f"##Answer: {NET.format('four')}", "invented", "hallucination", (0, 0, 0)),
        (f"##Answer: {NET.format('one')[:-1]}", "unparsed", "right", (0, 1, 0)),
        (f"Use {NET.format('one')}", "unparsed", "right", (0, 1, 1)),  # not in the requested form
        ("##Answer:", "unparsed", "hallucination", (0, 0, 0)),
        ("", "unparsed", "hallucination", (0, 0, 0)),
    ],
)
def test_a_reply_gets_the_same_scores_on_every_hub(tmp_path, raw, call, domain, metrics):
    grades = grading(studied(tmp_path))
    for hub in HUBS:
        (row,) = scoring.score_arm("raft", [asked(hub)], [Answer(f"{hub}:q", raw, False, 9, 9)], grades).rows
        assert row["api"] == {"call": call, "domain": domain}
        names = ("api_call", "api_domain", "api_call_lenient")
        assert tuple(row["metrics"][name] for name in names) == metrics


def test_shares_of_the_classes_have_intervals_and_an_unanswered_question_none(tmp_path):
    names = ["one", "two", "three", "four", "one-zzz", "one"]
    examples = [replace(asked(), id=f"q{n}") for n in range(len(names) + 1)]
    folder = studied(tmp_path)
    write_jsonl(
        folder / "questions.jsonl",
        [Question(row.id, row.question, row.answers, ["torchhub:1"], "test", slices=row.slices) for row in examples],
    )
    answers = [Answer(f"q{n}", f"##Answer: {NET.format(name)}", False, 9, 9) for n, name in enumerate(names)]
    arm = scoring.score_arm("raft", examples, answers, grading(folder))
    figures = behaviour(arm, examples, frozenset())
    counted = {name: (figure["n"], round(figure["value"] * figure["n"])) for name, figure in figures.items()}
    assert {name: count for name, count in counted.items() if name.startswith("api_")} == {
        "api_same_domain": (6, 1),
        "api_other_api": (6, 1),
        "api_invented": (6, 2),
        "api_unparsed": (6, 0),
        "api_hallucination": (6, 1),
    }
    assert figures["api_invented"]["low"] < 2 / 6 < figures["api_invented"]["high"]
    assert arm.observed["api_call"] == [1, 0, 0, 0, 0, 1, 0]
    assert arm.observed["api_domain"] == [1, 1, 0, 0, 1, 1, 0]


def study(root: Path) -> Study:
    """A study of forty questions about one API; RAFT writes its call, the others write another one."""
    folder = root / "corpus"
    folder.mkdir()
    examples = [replace(asked(), id=f"q{n}") for n in range(40)]
    made = Study(root / "study", examples)
    made.config["corpus"] = "apibench"
    made.passages = studied(folder)
    rows = [Question(row.id, row.question, row.answers, ["torchhub:1"], "test", slices=row.slices) for row in examples]
    write_jsonl(folder / "questions.jsonl", rows)
    (made.root / "raft_data" / "rows.jsonl").touch()
    made.say("raft", *[NET.format("one")] * 40)
    made.say("rag", *[NET.format("two")] * 40)
    made.say("base", *["hub.load('x')"] * 40)
    return made


def test_the_report_has_both_scores_with_intervals_and_paired_tests(tmp_path):
    made = study(tmp_path)
    folder = made.run(questions=made.passages)
    figures = results(folder)
    assert figures["metrics"] == ["api_call", "api_domain", "api_call_lenient", "exact_match"]
    assert {arm: row["metrics"]["api_call"]["value"] for arm, row in figures["arms"].items()} == {
        "base": 0,
        "rag": 0,
        "raft": 1,
    }
    assert {arm: row["metrics"]["api_domain"]["value"] for arm, row in figures["arms"].items()} == {
        "base": 0,
        "rag": 1,
        "raft": 1,
    }
    assert figures["arms"]["raft"]["metrics"]["api_call"]["low"] > 0.9
    paired = {(row["metric"], row["b"]): row["p_value"] < 0.001 for row in figures["comparisons"]}
    assert paired["api_call", "rag"]
    assert not paired["api_domain", "rag"]
    assert figures["slices"]["hub"]["torchhub"]["raft"]["n"] == 40
    for page in ("report.html", "report.md"):
        text = (folder / page).read_text()
        assert all(
            words in text for words in ("another API of the domain", "no API of the documentation", "api domain")
        )


def test_a_report_without_the_documentation_is_refused(tmp_path):
    made = study(tmp_path)
    with pytest.raises(DataError, match=r"need the results of the stages ingest and questions.*run the study again"):
        made.run()
    assert documentation_for(PROFILES["pubmedqa"], None, None) is None


def test_metrics_of_calls_are_reported_by_their_corpus_alone():
    assert [name for name, metric in METRICS.items() if metric.of_apis] == [
        "api_call",
        "api_domain",
        "api_call_lenient",
    ]
    assert [name for name, profile in PROFILES.items() if profile.of_apis] == ["apibench"]


def test_the_rule_by_domain_reads_lines_of_any_form():
    odd = [
        Api("huggingface", "X", call) for call in ("", "./run.sh --x", "f(", "x = f('a')", "f()", "'f('a')'", "é('ü')")
    ]
    rule = DomainRule("huggingface", [*odd, Api("huggingface", "Y", "g('b')")])
    assert [rule.judge(text, "Y") for text in ("g('b')", "g('c')", "", "(" * 5_000, "\ud800g('b')")][:3] == [
        "right",
        "hallucination",
        "hallucination",
    ]
    assert Counter(rule.judge(text, "X") for text in ("é('ü')", "é('u')")) == {"right": 1, "hallucination": 1}
