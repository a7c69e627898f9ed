from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.models import loading
from tools import build_tiny

FOLDER = Path(loading.resolve("asset:tiny"))
tokenizer = loading.load_tokenizer("asset:tiny")


def test_the_script_makes_these_files(tmp_path):
    build_tiny.main(tmp_path)
    for made in tmp_path.iterdir():
        if made.suffix == ".json":
            assert made.read_text() == (FOLDER / made.name).read_text(), made.name
    assert (tmp_path / "model.safetensors").stat().st_size == (FOLDER / "model.safetensors").stat().st_size < 1_500_000


@given(st.text())
@settings(deadline=None)
def test_any_text_comes_back(text):
    ids = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id not in ids


def test_its_control_tokens_differ():
    controls = [tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id]
    assert controls == [0, 1, 2, 3]
    assert tokenizer.chat_template is None
    assert tokenizer("town")["input_ids"][0] == tokenizer.bos_token_id


def test_english_takes_few_tokens():
    text = "Reason from the passages, quoting them between ##begin_quote## and ##end_quote##."
    assert len(tokenizer(text)["input_ids"]) < len(text) / 3.5
