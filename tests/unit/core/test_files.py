"""Files that are written completely or not at all."""

import pytest

from raft_exp.core.files import write_atomically


def test_a_file_has_the_old_or_the_new_text_and_nothing_else_stays(tmp_path):
    write_atomically(tmp_path / "a.json", "1")
    write_atomically(tmp_path / "a.json", "2")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_atomically(tmp_path / "folder", "3")  # it cannot be renamed to a folder
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "a.json", "\ud800")
    assert (tmp_path / "a.json").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "folder"]
