"""The commands beside the study: one dialect, name=value; what cannot be is one line."""

import re
import shlex
from typing import Literal

import pytest
from pydantic import Field

from raft_exp.apps import publish
from raft_exp.apps import store as store_app
from raft_exp.apps.arguments import Command, one_line_errors, settings
from raft_exp.apps.ask import main as ask
from raft_exp.apps.export import main as export
from raft_exp.apps.label import main as label
from raft_exp.apps.paper import main as paper
from raft_exp.apps.plan import main as plan
from raft_exp.apps.report import main as report
from raft_exp.apps.serve import main as serve
from raft_exp.core.errors import ConfigError, StoppedError
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.pipeline.config import conf_dir
from tests.helpers.composing import compose

COMMANDS = {
    "ask": ask,
    "serve": serve,
    "report": report,
    "store": store_app,
    "paper": paper,
    "plan": plan,
    "publish": publish,
    "export": export,
    "label": label,
}
WORDS = {name: "prune" if name == "store" else "RUN" for name in COMMANDS}

RUN_FLAGS = {
    "--arm rag": "arm=rag",
    "--model 'my dir'": "'model=my dir'",
    "--k 4": "k=4",
    "--retriever hybrid": "retriever=hybrid",
    "--engine vllm": "engine=vllm",
    "--accelerator cpu": "accelerator=cpu",
    "--store elsewhere": "store=elsewhere",
}
OLD = {
    "ask": RUN_FLAGS | {"--show-context": "show_context=true", "--json": "json=true"},
    "serve": RUN_FLAGS
    | {
        "--host ::1": "host=::1",
        "--port 0": "port=0",
        "--token-env TOKEN": "token_env=TOKEN",
        "--batch 8": "batch=8",
        "--queue 8": "queue=8",
        "--max-question 8": "max_question=8",
        "--max-body 8": "max_body=8",
        "--per-minute 8": "per_minute=8",
    },
    "store": {"--yes": "yes=true"},
}


@config_dataclass
class Settings:
    """Of a made-up command."""

    out: str = Field(title="DIR", description="where")
    k: Positive | None = Field(default=None, description="how many (default: all)")
    how: Literal["fast", "good"] = Field(default="good", description="which way")
    share: float = Field(default=0.5, description="how much")
    quiet: bool = Field(default=False, description="say nothing")


STRICT = Command("made RUN out=DIR", "Makes.", {"RUN": "a folder"}, Settings)
FREE = Command("made RUN [TEXT] out=DIR", "Makes.", {"RUN": "a folder", "TEXT": "what"}, Settings, 2, True)


def refused(name, arguments, capsys) -> str:
    """The line that a command ends with."""
    with pytest.raises(SystemExit) as ended:
        COMMANDS[name].main(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    return said.err.strip()


def test_words_and_settings_stand_in_any_order():
    made = Settings(out="a b", k=4, how="fast", share=0.001, quiet=True)
    given = ["RUN", "out=a b", "k=4", "how=fast", "share=1e-3", "quiet=true"]
    for turn in range(len(given)):
        assert STRICT.read([*given[turn:], *given[:turn]]) == (["RUN"], made)


def test_text_is_taken_as_it_is_written():
    for text in ("3", "yes", "1e5", "a: b", "[x", "2026-01-01", "x=1", "Does it | read?", "~"):
        assert settings(Settings, [f"out={text}"]).out == text
    assert settings(Settings, ["out=null", "k=null"]) == Settings(out="null")
    assert settings(Settings, [], out="given") == Settings(out="given")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "RUN is missing; write made RUN out=DIR"),
        ("out=x", "RUN is missing; write made RUN out=DIR"),
        ("RUN", "out: has no value; set out=..."),
        ("RUN out=", "out: has no value; set out=..., or remove out="),
        ("RUN out=x out=y", "out: got two values; give one out=..."),
        ("RUN other out=x", "got too many words: RUN other; write made RUN out=DIR"),
        ("RUN outt=x", "outt: no such setting; did you mean 'out'? (known: how, k, out, quiet, share)"),
        ("RUN batch=3", "batch: no such setting; known: how, k, out, quiet, share"),
        ("RUN out=x k=0", "k: got 0; must be greater than or equal to 1; set k=1 or a larger value"),
        ("RUN out=x k=2026-01-01", "k: got datetime.date(2026, 1, 1); must be a valid integer"),
        ("RUN out=x k=2.5", "k: got 2.5; must be a valid integer"),
        ("RUN out=x how=best", 'how: got \'best\'; must be "fast" or "good"'),
        ("RUN out=x quiet=1", "quiet: got 1; must be true or false"),
        ("RUN out=x share=.nan", "share: got nan; must be a finite number"),
        ("RUN --out", "--out: settings are now written as name=value: out=VALUE"),
        ("RUN --o x --qui --k=3", "--o x --qui --k=3: settings are now written as name=value: out=x quiet=true k=3"),
        (
            "RUN --outt x",
            "--outt: no such setting, and settings are written name=value; did you mean 'out'? "
            "(known: how, k, out, quiet, share)",
        ),
    ],
)
def test_what_cannot_be_names_field_value_and_remedy(arguments, told):
    with pytest.raises(ConfigError) as raised:
        STRICT.read(shlex.split(arguments))
    assert str(raised.value) == told


def test_a_folder_may_have_an_equals_sign_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p=0.2").mkdir()
    assert STRICT.read(["p=0.2", "out=x"])[0] == ["p=0.2"]
    assert STRICT.read(["runs/p=0.4", "out=x"])[0] == ["runs/p=0.4"]
    (tmp_path / "out=x").mkdir()
    with pytest.raises(ConfigError, match="RUN is missing"):
        STRICT.read(["out=x"])


@pytest.mark.parametrize(
    "text", ["what does x=1 mean?", "a=b", "E=mc^2", "x = 1", "=", "--help me, k=4", "--", "-1", "k", "Is k=3?", ""]
)
def test_a_question_may_have_an_equals_sign(text):
    words, made = FREE.read(["out=x", "RUN", text, "k=4"])
    assert words == ["RUN", text]
    assert made.k == 4


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("outt=x", "outt: no such setting; did you mean 'out'?"),
        ("Quiet=true", "Quiet: no such setting; did you mean 'quiet'?"),
        ("k=what is it?", "k: got 'what is it?'; must be a valid integer"),
    ],
)
def test_a_misspelt_setting_is_no_question(word, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        FREE.read(["RUN", "out=x", word])


@pytest.mark.parametrize(("error", "status"), [(ConfigError, 2), (StoppedError, 75)])
def test_an_error_is_one_line_and_ends_with_its_own_status(error, status, capsys):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise error("two\nlines")
    assert ended.value.code == status
    assert capsys.readouterr().err == f"{error.__name__}: two lines\n"


def test_a_question_needs_no_quotation_marks():
    assert FREE.read(["RUN", "what", "does", "out=x", "it", "cover?", "k=4"])[0] == ["RUN", "what does it cover?"]


def test_an_unknown_setting_beside_a_question_is_refused():
    with pytest.raises(ConfigError, match="batch: no such setting; known: how"):
        FREE.read(["RUN", "out=x", "what is it?", "batch=3"])


@pytest.mark.parametrize(("name", "old"), [(name, old) for name, flags in OLD.items() for old in flags])
def test_the_old_spelling_is_refused_with_the_new_one(name, old, capsys):
    new = OLD[name][old]
    told = f"settings are now written as name=value: {new}"
    assert refused(name, [WORDS[name], *shlex.split(old)], capsys) == f"ConfigError: {old}: {told}"
    flag, *value = shlex.split(old)
    if value:
        joined = f"{flag}={value[0]}"
        said = refused(name, [joined, WORDS[name]], capsys)
        assert said == f"ConfigError: {shlex.quote(joined)}: {told}"


def test_a_line_of_old_settings_is_spelt_anew_at_once(capsys):
    said = refused("ask", shlex.split("RUN --arm rag 'Where is it?' --json --k=2"), capsys)
    assert said == "ConfigError: --arm rag --json --k=2: settings are now written as name=value: arm=rag json=true k=2"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_lists_every_word_and_setting(name, capsys):
    for arguments in (["--help"], ["-h"], ["RUN", "k=nonsense", "--help"]):
        with pytest.raises(SystemExit) as ended:
            COMMANDS[name].main(arguments)
        assert ended.value.code == 0
        said = capsys.readouterr().out
    command = COMMANDS[name]._COMMAND
    assert said.startswith(f"python -m raft_exp.{name} {next(iter(command.words))}")
    assert max(map(len, said.splitlines())) <= 120
    for word in command.words:
        assert re.search(rf"^  {re.escape(word)} +\w", said, re.MULTILINE), word
    for setting, field in command.settings.__pydantic_fields__.items():
        (line,) = re.findall(rf"^  {setting}=\S+ +(\S.*)$", said, re.MULTILINE)
        assert line.endswith("(required)") if field.is_required() else line.count("(default: ") == 1, line
        shown = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert field.default is None or field.is_required() or line.endswith(f"(default: {shown})"), line


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name]._COMMAND.needs_word])
def test_a_command_without_words_shows_its_form(name, capsys):
    command = COMMANDS[name]._COMMAND
    told = f"ConfigError: {next(iter(command.words))} is missing; write {command.form}"
    assert refused(name, [], capsys) == told
    given = next(f"{setting}=1" for setting in command.settings.__pydantic_fields__)
    assert refused(name, [given], capsys) == told


@pytest.mark.parametrize("name", COMMANDS)
def test_a_misspelt_setting_names_the_nearest(name, capsys):
    setting = max(COMMANDS[name]._COMMAND.settings.__pydantic_fields__, key=len)
    wrong = f"{setting}{setting[-1]}"
    said = refused(name, [WORDS[name], f"{wrong}=x"], capsys)
    assert said.startswith(f"ConfigError: {wrong}: no such setting; did you mean '{setting}'? (known: ")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ask RUN retriever=bm52", 'retriever: got \'bm52\'; must be "bm25", "dense" or "hybrid"'),
        ("ask RUN k=0 what?", "k: got 0; must be greater than or equal to 1"),
        ("serve RUN port=70000", "port: got 70000; must be less than or equal to 65535"),
        ("serve RUN queue=0", "queue: got 0; must be greater than or equal to 1"),
        ("serve RUN host=0.0.0.0", "set token_env=NAME"),
        ("store lss", "ls|prune|verify|repair: got 'lss'; did you mean 'ls'? (known: ls, prune, repair, verify)"),
        ("store ls store=nowhere", "store: got 'nowhere', but there is no such folder; name the store with store=PATH"),
        ("publish RUN", "NNN_name (such as 004_gold_share) is missing; write python -m raft_exp.publish RUN"),
        ("publish 004_x", "RUN is missing; write python -m raft_exp.publish RUN"),
        ("plan nowhere", "RUN|SETTING: got 'nowhere', but there is no such folder; name a run folder, or settings"),
        ("plan . model=tiny", "RUN|SETTING: got the folder '.' together with other arguments; give one run folder"),
        ("plan .", "config.yaml: No such file or directory; name the folder of a run"),
        ("plan -m model=tiny", "-m: a plan is about one study; remove -m, and give each setting one value"),
        (
            "plan dataset.p=0.4,0.6",
            "dataset.p=0.4,0.6: got several values, but a plan is about one study; give one value",
        ),
        ("plan +experiment=pubmed", "experiment: got 'pubmed'; did you mean 'pubmedqa'?"),
        ("plan dataset.q=3", "dataset.q: no such setting; known: allow_answer_in_distractor, "),
        ("plan dataset.p=3", "dataset.p: got 3; must be less than or equal to 1"),
        ("plan +experiment=documents", "corpus.path: has no value; set corpus.path=FOLDER"),
        ("plan model=tiny device=h1000", 'device: got \'h1000\'; must be "cpu", "h200", "h100", "a100"'),
        ("plan model=tiny discordance=0", "discordance: got 0; must be greater than 0"),
        ("plan model=tiny out=.", "out: got '.', which is a folder; name a file"),
        ("plan model=tiny out=no/plan.json", "out: got 'no/plan.json', but no is not a folder that can be written"),
        ("publish RUN 004_x 005_y", "NNN_name: got 004_x and 005_y; name one new folder"),
    ],
)
def test_the_limits_of_a_command(line, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *arguments = shlex.split(line)
    assert told in refused(name, arguments, capsys)


def test_the_settings_of_a_command_reach_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ask._COMMAND.read(shlex.split("arm=rag RUN 'a=b' k=4 engine=vllm json=true model=DIR store=PATH"))
    settings = ask.AskSettings(arm="rag", k=4, engine="vllm", json=True, model="DIR", store="PATH")
    assert asked == (["RUN", "a=b"], settings)
    served = serve._COMMAND.read(shlex.split("RUN arm=raft host=127.0.0.1 port=0 max_body=9"))
    assert served == (["RUN"], serve.ServeSettings(arm="raft", port=0, max_body=9))
    planned = plan._COMMAND.read(shlex.split("+experiment=pubmedqa model=tiny corpus.path=DIR device=l4 seed=3"))
    words = ["+experiment=pubmedqa", "model=tiny", "corpus.path=DIR", "seed=3"]
    assert planned == (words, plan.PlanSettings(device="l4")), "the other settings are the study's"
    reported = report._COMMAND.read(shlex.split("one two out=DIR"))
    assert reported == (["one", "two"], report.ReportSettings(out="DIR"))
    calls = []
    monkeypatch.setattr(publish, "publish", lambda *given: calls.append(given) or given[1])
    publish.main(shlex.split("one two 004_x question='Does it | read: x=1?' into=DIR"))
    assert [str(one) for one in (*calls[0][0], *calls[0][1:])] == [
        "one",
        "two",
        "DIR/004_x",
        "Does it | read: x=1?",
        "False",
    ]


def test_no_setting_of_a_study_is_taken_for_one_of_its_plan():
    values = compose("+experiment=quickstart")
    groups = [file.name for file in conf_dir().iterdir() if file.is_dir()]
    words = [f"{name}=x" for name in (*values, *groups)]
    assert plan._COMMAND.read(words) == (words, plan.PlanSettings())
