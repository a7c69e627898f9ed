"""Ready chats: what may be left out, and what cannot be trained on."""

import pytest

from raft_exp.core.errors import DataError
from raft_exp.corpora.readers import chat
from tests.helpers.files import lines

ASK, REPLY = {"role": "user", "content": "When?"}, {"role": "assistant", "content": "In 1802."}


def test_id_and_split_may_be_left_out(tmp_path):
    more = {"id": "b", "split": "validation", "messages": [{"role": "system", "content": ""}, ASK, REPLY], "note": 1}
    one, other = chat.read(lines(tmp_path / "chat.jsonl", {"messages": [ASK, REPLY]}, more))
    assert (one.id, one.split, one.messages) == ("line-1", "train", [ASK, REPLY])
    assert (other.id, other.split, len(other.messages)) == ("b", "validation", 3)


def test_only_role_and_content_of_a_message_are_kept(tmp_path):
    (one,) = chat.read(lines(tmp_path / "chat.jsonl", {"messages": [ASK, {**REPLY, "weight": 1}]}))
    assert one.messages[-1] == REPLY


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "x", "completion": "y"}, "field 'messages' is missing or empty; give a list of {role, content}"),
        ({"messages": [ASK]}, "field 'messages' does not end with an assistant message"),
        ({"messages": [REPLY]}, "field 'messages' has an assistant message without a user message"),
        ({"messages": [ASK, {**REPLY, "content": " \n"}]}, "field 'messages' ends with an empty reply"),
        ({"messages": [ASK, {**REPLY, "content": None}]}, "message 1: field 'content' is missing"),
        ({"messages": [{"role": "human", "content": "x"}, REPLY]}, "message 0: field 'role' is 'human'; give one of"),
        ({"messages": "x"}, "field 'messages' is 'x'; give a list"),
        ({"messages": ["x", REPLY]}, "field 'messages[0]' is 'x'; give {role, content}"),
        ({"messages": [ASK, REPLY], "split": "test"}, "field 'split' is 'test'; give one of train, validation"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(tmp_path, row, told):
    file = lines(tmp_path / "chat.jsonl", {"messages": [ASK, REPLY]}, row)
    with pytest.raises(DataError) as error:
        list(chat.read(file))
    assert str(error.value).startswith(f"{file}, line 2")
    assert told in str(error.value)
