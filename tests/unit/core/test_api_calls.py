"""Calls of APIs in texts. Expected values are written by hand."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.api_calls import ApiCall, calls, documented, lines, verbatim

NET = "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18', pretrained=True)"
NET_CALL = ApiCall("torch.hub.load", (("model", "resnet18"), ("repo_or_dir", "pytorch/vision")))


@pytest.mark.parametrize(
    "text",
    [
        NET,
        "torch.hub.load('pytorch/vision', 'resnet18')",
        'torch.hub.load("pytorch/vision", model="resnet18", weights=None)',
        "torch . hub.load( 'pytorch/vision' ,\n  'resnet18' , pretrained = False )",
        "import torch\nmodel = torch.hub.load('pytorch/vision', 'resnet18')\nmodel.eval()",
        "from torch import hub\nmodel = hub.load('pytorch/vision', 'resnet18')",
        "import torch.hub as h\nmodel = h.load('pytorch/vision', 'resnet18')",
        "Sure! Use `torch.hub.load('pytorch/vision', 'resnet18')`; it's the best (I think).",
        "Here:\n```python\nmodel = torch.hub.load('pytorch/vision', 'resnet18')\n```\nThat's it.",
        "<<<api_call>>>: torch.hub.load('pytorch/vision', 'resnet18'), <<<api_provider>>>: PyTorch",
        """{'domain': 'X', 'api_call': "model = torch.hub.load('pytorch/vision', 'resnet18')"}""",
        "'torch.hub.load('pytorch/vision', 'resnet18')'",
        "torch.hub.load('pytorch/vision', 'resnet18').",
        "def f(:\n  torch.hub.load('pytorch/vision', 'resnet18')",  # broken elsewhere
    ],
)
def test_the_same_call_in_other_words(text: str) -> None:
    assert NET_CALL in list(calls(text))
    assert documented(NET) == NET_CALL


@pytest.mark.parametrize(
    "text",
    [
        "torch.hub.load('pytorch/vision', 'resnet18-zzz')",
        "torch.hub.load('pytorch/vision:v0.10.0', 'resnet18')",
        "hub.load('pytorch/vision', 'resnet18')",
        "torch.hub.load('pytorch/vision')",
        "torch.hub.load('pytorch/vision', model)",
        "torch.hub.load(",
        "torch.hub.load('pytorch/vision', 'resnet18'",
        "torch.hub.load('pytorch/vision, 'resnet18')",
        "torch.hub.load 'pytorch/vision', 'resnet18'",
        "# torch.hub.load('pytorch/vision', 'resnet18')\nprint(1)",  # a comment is no call
        "print(\"torch.hub.load('pytorch/vision', 'resnet18')\")",  # a text is none either
        "the resnet18 of pytorch/vision",
        "",
    ],
)
def test_another_call_or_none(text: str) -> None:
    assert NET_CALL not in list(calls(text))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("pipeline('fill-mask', model='a/b')", ApiCall("pipeline", (("model", "a/b"), ("task", "fill-mask")))),
        ("pipeline(model='a/b', task='fill-mask')", ApiCall("pipeline", (("model", "a/b"), ("task", "fill-mask")))),
        ("pipeline('fill-mask', model=a/b)", ApiCall("pipeline", (("model", "a/b"), ("task", "fill-mask")))),
        (
            "transformers.AutoModel.from_pretrained('a/b', torch_dtype=torch.float16)",
            ApiCall("AutoModel.from_pretrained", (("pretrained_model_name_or_path", "a/b"),)),
        ),
        ("hub.load(handle='https://x/1')", ApiCall("hub.load", (("handle", "https://x/1"),))),
        (
            "import tensorflow_hub\nm = tensorflow_hub.load('https://x/1')",
            ApiCall("hub.load", (("handle", "https://x/1"),)),
        ),
        ("S2THubInterface()", ApiCall("S2THubInterface", ())),
        (
            "joblib.load(hf_hub_download('a', \"b.joblib\"))",
            ApiCall("joblib.load", (("0", "hf_hub_download('a','b.joblib')"),)),
        ),
        ("load_from_hub(repo_id='a/b', filename='c')", ApiCall("load_from_hub", (("repo_id", "a/b"),))),
        ("./run.sh --model  a/b", ApiCall("", (("text", "./run.sh--modela/b"),))),
        ("f(a='x', \"y\")", ApiCall("", (("text", "f(a='x','y')"),))),  # Python cannot parse it
    ],
)
def test_what_identifies_a_call(text: str, call: ApiCall) -> None:
    assert documented(text) == call


def test_calls_stand_in_their_order_the_outer_one_first() -> None:
    text = "a('1')\nb(c('2'), d('3'))\nx = e('4')('5')"
    assert [call.function for call in calls(text)] == ["a", "b", "c", "d", "e"]
    broken = "Use a('1'), then b(c('2')) or f(k=1, 'x')!"
    assert [call.function for call in calls(broken)] == ["a", "b", "c", ""]


def test_a_shell_command_is_read_line_by_line() -> None:
    assert verbatim("./run.sh  --x 'y'") in list(lines('First:\n./run.sh --x "y"\nDone.'))


def test_nothing_is_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for text in (
        f"open('{made}', 'w')",
        f"__import__('pathlib').Path('{made}').touch()",
        f"(lambda: open('{made}', 'w'))()",
    ):
        list(calls(text))
        documented(text)
    assert not made.exists()


@pytest.mark.parametrize(
    "text",
    [
        "f(" * 50_000,
        "f('" * 50_000,
        "f(" + "[" * 300 + "]" * 300 + ")",
        "x = " + "-" * 19_000 + "1",
        "f(" + "a." * 1_900 + "a)",
        "f" + "()" * 1_900,
        "f(" + "lambda:" * 500 + "1)",
        "f('\0')",
        "f('\\d')",  # an escape sequence about which Python warns
        "x" * 10**6,
        "f()\n" * 20_000,
    ],
)
def test_size_and_depth_have_limits(text: str) -> None:
    assert len(list(calls(text))) <= 5_000
    assert len(list(lines(text))) <= 20_001


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert all(isinstance(call, ApiCall) for call in calls(text))
    assert isinstance(documented(text), ApiCall)


NAMES = st.from_regex(r"[A-Za-z0-9_/.:-]{1,30}", fullmatch=True)


@given(NAMES, NAMES, st.sampled_from("'\""), st.booleans(), st.sampled_from(["", "\n", "  "]), st.booleans())
def test_quotes_order_and_white_space_do_not_count(
    repo: str, model: str, quote: str, named: bool, space: str, turned: bool
) -> None:
    first, second = f"{quote}{repo}{quote}", f"{quote}{model}{quote}"
    given_names = [f"repo_or_dir={space}{first}", f"model={second}"] if named else [first, second]
    given_names = given_names[::-1] if named and turned else given_names
    text = f"torch.hub.load({space}{','.join(given_names)}{space})"
    assert documented(text) == ApiCall("torch.hub.load", (("model", model), ("repo_or_dir", repo)))
