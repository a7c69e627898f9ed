"""Long contexts: the place of gold, and the refusal of prompts that the model's window does not hold."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core import gold_place
from raft_exp.core.errors import ConfigError, DataError
from raft_exp.models.loading import load_tokenizer
from raft_exp.models.tokens import encode_prompt
from raft_exp.pipeline.conditions import condition
from raft_exp.pipeline.parsing import parse
from raft_exp.prompts import messages
from tests.helpers.composing import compose
from tests.helpers.scripted_server import Say, ScriptedServer
from tests.helpers.scripted_teacher import corpus, teacher
from tests.helpers.stages import run, stages_of
from tests.unit.dataset.test_stage import rows

MANY = 520  # documents: a fifth of them are test documents, which hold 99 distractors
STUDY = ("evaluation.arms=[rag]", "evaluation.max_items=3", "corpus.validation=0", "prompt=default")
PLACES = ("first", "middle", "last")
WIDE = "+evaluation.conditions.wide={num_distractors: 8, gold_at: middle, allow_cut: false}"


@pytest.fixture(scope="module")
def towns(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("towns"), documents=60)


def needed(error: DataError) -> int:
    figure = re.search(r"need ([\d,]+) tokens, but the window holds model\.max_length=([\d,]+)", str(error))
    assert figure, str(error)
    return int(figure[1].replace(",", ""))


@pytest.mark.slow
def test_long_contexts_are_refused_with_the_figure_and_each_remedy_works(tmp_path):
    towns = corpus(tmp_path, documents=MANY)
    with pytest.raises(DataError) as refused:
        run(tmp_path, *towns, *STUDY, "evaluation=long")
    message = str(refused.value)
    assert "\n" not in message
    assert re.match(r"evaluation\.conditions\.k100_\w+\.num_distractors=99: the prompt of question 'q\d+'", message)
    assert "6 test sets do not fit" in message, "those with 50 and with 100 passages"
    left_out = re.findall(r"~evaluation\.conditions\.k\d+_\w+", message)
    assert len(left_out) == 6
    made = run(tmp_path, *towns, *STUDY, "evaluation=long", *left_out)
    assert [label for label in made if "@" in label] == [
        f"dataset[test@k20_{at}]" for at in ("first", "middle", "last")
    ]
    whole = run(tmp_path, *towns, *STUDY, "evaluation=long", f"model.max_length={needed(refused.value)}")
    assert len([label for label in whole if "@" in label]) == 9
    for size, place in ((20, 10), (50, 25), (100, 50)):
        for at, before in (("first", 0), ("middle", place - 1), ("last", size - 1)):
            for row in rows(whole[f"dataset[test@k{size}_{at}]"], "test"):
                assert [passage.gold for passage in row.context].index(True) == before
                assert len(row.context) == size
    audit = json.loads((whole["dataset[test@k100_last]"] / "audit.json").read_text())
    assert audit["splits"]["test"]["rows_cut"] == 0


def test_the_figure_is_the_exact_limit(towns, tmp_path):
    small = ("model.max_length=500", WIDE)
    with pytest.raises(DataError) as refused:
        run(tmp_path, *towns, *STUDY, *small)
    limit = needed(refused.value)
    made = run(tmp_path, *towns, *STUDY, WIDE, f"model.max_length={limit}")
    with pytest.raises(DataError, match=f"need {limit:,} tokens"):
        run(tmp_path, *towns, *STUDY, WIDE, f"model.max_length={limit - 1}")
    config = parse(compose(*towns, *STUDY, WIDE))
    tokenizer = load_tokenizer(config.model.name_or_path)
    longest = max(
        len(encode_prompt(tokenizer, messages(config.prompt, "plain_text", row.question, row.context, cot)))
        for row in rows(made["dataset[test@wide]"], "test")
        for cot in (True, False)
    )
    assert longest + config.model.max_new_tokens == limit


def test_allow_cut_shortens_the_passages_and_counts_it(towns, tmp_path):
    made = run(tmp_path, *towns, *STUDY, "model.max_length=500", WIDE.replace("false", "true"))
    audit = json.loads((made["dataset[test@wide]"] / "audit.json").read_text())
    assert audit["splits"]["test"]["rows_cut"] == 3


@pytest.mark.parametrize(
    ("test", "setting"),
    [
        (("evaluation.num_distractors=8",), r"evaluation\.num_distractors=8"),
        (("evaluation.context=retrieved", "evaluation.k=9"), r"evaluation\.k=9"),
    ],
)
def test_the_test_of_the_study_can_refuse_too(towns, tmp_path, test, setting):
    with pytest.raises(DataError, match=rf"^{setting}: the prompt of question .*or evaluation\.allow_cut=true to"):
        run(tmp_path, *towns, *STUDY, "model.max_length=500", "evaluation.allow_cut=false", *test)


def test_nothing_is_paid_for_a_study_that_is_refused(towns, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-planted")
    with ScriptedServer(lambda *_: Say("##Answer: 1")) as server:
        more = ("evaluation.arms=[rag,raft]", "model.max_length=500", WIDE, *teacher(server))
        with pytest.raises(DataError, match=r"need [\d,]+ tokens"):
            run(tmp_path, *towns, *STUDY, *more, until="targets")
    assert server.asked == []


def test_keys_stay_where_nothing_is_set():
    before, after = stages_of(), stages_of(WIDE.replace("false", "true"))
    assert all(after[label].key == stage.key for label, stage in before.items() if label != "report")


@given(st.integers(0, 120))
@settings(deadline=None)
def test_named_places(others):
    assert gold_place.index("first", others, "q") == 0
    assert gold_place.index("last", others, "q") == others
    middle = gold_place.index("middle", others, "q")
    assert abs(middle - (others - middle)) <= 1, "as many before as after"


def test_a_place_of_another_name_is_refused():
    with pytest.raises(ConfigError, match=r"conditions\.a: evaluation\.gold_at: got 'centre'; must be"):
        condition(parse(compose("+evaluation.conditions={a:{gold_at:centre}}")), "a")
