"""The long texts that replies are compared with: of the data set, or of a teacher that no training reads."""

import json
from copy import deepcopy

import pytest

from raft_exp.core.errors import ConfigError, DataError
from raft_exp.core.records import Question, Target, read_jsonl, write_jsonl
from raft_exp.evaluation import metrics
from raft_exp.evaluation.references_stage import ReferencesStage, read_references, references
from raft_exp.pipeline import build as pipeline
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.stage_settings import report_settings
from raft_exp.pipeline.store import Store
from tests.helpers.composing import compose
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import asked_about, corpus, good, teacher
from tests.helpers.stages import study_stages


@pytest.fixture(scope="module")
def embedded():
    return compose()


def studied(folder, *questions):
    (folder / "questions").mkdir()
    write_jsonl(folder / "questions" / "questions.jsonl", questions)
    (folder / "out").mkdir()
    return {"questions": folder / "questions", "out": folder / "out"}


def question(name, split="test", explanation=""):
    return Question(name, "Is it?", ["yes"], [], split, explanation=explanation)


def test_long_answers_are_those_of_the_evaluated_split_without_markers(tmp_path):
    long = "It is,\n##begin_quote## as they  say ##end_quote##."
    made = studied(tmp_path, question("a", explanation=long), question("b"), question("c", "train", "seen"))
    references(ReferencesStage("long_answer", "test", True), **made)
    assert read_references(tmp_path / "out") == {"a": "It is, as they say ."}
    assert json.loads((tmp_path / "out" / "counts.json").read_text()) == {"questions": 2, "references": 1}


@pytest.mark.parametrize("closed", [True, False])
def test_a_target_that_is_a_mere_label_is_no_long_text(tmp_path, closed):
    made = studied(tmp_path, question("a"), question("b"))
    (tmp_path / "targets").mkdir()
    write_jsonl(tmp_path / "targets" / "targets.jsonl", [Target("a", "yes", "So it is."), Target("b", "no")])
    references(ReferencesStage("target", "test", closed), **made, targets=tmp_path / "targets")
    assert read_references(tmp_path / "out") == ({"a": "So it is."} if closed else {"a": "So it is. yes", "b": "no"})


@pytest.mark.parametrize("reference", ["long_answer", "target"])
def test_a_study_without_long_texts_is_refused(tmp_path, reference):
    made = studied(tmp_path, question("a"), question("c", "train", "seen"))
    write_jsonl(tmp_path / "targets.jsonl", [Target("a", "yes")])
    with pytest.raises(DataError, match=f"^evaluation.reference: got '{reference}', but none of the 1 test questions"):
        references(ReferencesStage(reference, "test", True), **made, targets=tmp_path)


def test_the_teachers_texts_for_the_test_are_paid_once_and_no_training_reads_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-planted")
    local = (*corpus(tmp_path / "corpus"), "model=tiny", "trainer=cpu", f"teacher.ledger={tmp_path / 'ledger'}")

    def reply(prompt, times):
        return Say("too short") if asked_about(prompt) in (4, 9, 14) else good(prompt)

    with ScriptedServer(reply) as server:
        study = (*local, *teacher(server), "evaluation.reference=target", "evaluation.max_items=6")
        made = results(tmp_path, *study)
        texts = read_references(made["references"])
        tested = {row.id for row in read_jsonl(made["questions"] / "questions.jsonl", Question) if row.split == "test"}
        of_test = [body for body in server.asked if asked_about(body["messages"][-1]["content"]) % 5 == 4]
        audit = json.loads((made["references"] / "audit.json").read_text())
        assert len(of_test) == audit["replies"], "each test question is paid for in this stage alone"
        assert audit["asked"] == 6, "evaluation.max_items"
        assert len(texts) == audit["kept"] == 6 - audit["quarantined"]
        assert audit["quarantined"] >= 1
        assert texts.keys() <= tested - {"q4", "q9", "q14"}
        assert all("##" not in text and "was founded in" in text for text in texts.values())
        assert not {row.id for row in read_jsonl(made["targets"] / "targets.jsonl", Target)} & tested
        paid = len(server.asked)
        results(tmp_path / "other", *study)
        assert len(server.asked) == paid, "another store with the same ledger pays nothing"


def results(folder, *overrides):
    """Makes the stages up to the targets and references alone; label -> folder of the result."""
    store = Store(folder)
    names = ("ingest", "questions", "index", "targets[test]", "references", "targets")
    made = [stage for stage in study_stages(folder, *overrides) if stage.label in names]
    return {stage.label: store.ensure(stage, store.call).path for stage in made}


@pytest.mark.parametrize("until", ["targets", "dataset", "export"])
def test_a_study_that_ends_before_the_evaluation_pays_for_no_test_question(until, embedded):
    labels = stages(changed(deepcopy(embedded), evaluation__reference="target") | {"until": until})
    assert "targets" in labels
    assert "targets[test]" not in labels


def changed(values, **changes):
    """The composed values with changes; `evaluation__reference` names evaluation.reference."""
    for name, value in changes.items():
        group, _, field = name.partition("__")
        values[group] |= {field: value}
    return values


def stages(values):
    made = pipeline.build(parse(values), lambda files: {file.name: "" for file in files})
    return {stage.label: stage for stage in made}


def test_long_references_change_no_key_but_that_of_the_report(embedded):
    plain, taught, long = (
        stages(changed(deepcopy(embedded), evaluation__reference=name)) for name in ("answers", "target", "long_answer")
    )
    assert taught.keys() - plain.keys() == {"targets[test]", "references"}
    assert long.keys() - plain.keys() == {"references"}
    for label, stage in plain.items():
        assert (stage.key == taught[label].key) == (stage.key == long[label].key) == (label != "report"), label
    reads = {label for label, stage in taught.items() if "targets[test]" in {one.label for one in stage.upstream()}}
    assert reads == {"references"}
    order = list(taught)
    assert order.index("references") < min(order.index(label) for label in order if label.startswith("dataset"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation__reference": "other"}, "^evaluation.reference: got 'other'; must be"),
        ({"dataset__path": "rows.jsonl"}, "no teacher writes the targets of this study"),
        ({"evaluation__arms": ["base", "rag"]}, "writes reasoning .cot=true.; add an arm"),
        ({"evaluation__primary": {"metric": "bleu", "arm": None, "against": None}}, "'bleu', which grades reasoning"),
        ({"prompt__language": "th"}, "sacrebleu has no tokenizer for prompt.language='th'.*bleu_tokenizer=char"),
        ({"prompt__language": "ja"}, "MeCab, which is not installed; pip install 'sacrebleu.ja.'"),
        ({"evaluation__bleu_tokenizer": "ko-mecab"}, "mecab_ko, which is not installed; pip install 'sacrebleu.ko.'"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(changes, message, embedded, monkeypatch):
    monkeypatch.setattr("raft_exp.evaluation.metrics.tokenizers.find_spec", lambda name: None)
    monkeypatch.setitem(metrics.PROFILES, "almanac", metrics.PROFILES["pubmedqa"])  # answers that are labels
    values = changed(deepcopy(embedded), **{"evaluation__reference": "target"} | changes)
    with pytest.raises(ConfigError, match=message) as error:
        parse(values)
    assert "\n" not in str(error.value)


def test_the_tokenizer_is_that_of_the_language_unless_set(embedded):
    def tokenizer(language, setting="auto"):
        values = changed(deepcopy(embedded), evaluation__bleu_tokenizer=setting, prompt__language=language)
        return report_settings(parse(values)).tokenizer

    assert [tokenizer(language) for language in ("en", "zh", "de")] == ["13a", "zh", "13a"]
    assert tokenizer("ja", "char") == "char"
