"""reStructuredText: the elements of docutils and of Sphinx, and what is not read."""

from contextlib import suppress

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import UnreadableError


def read(text):
    return documents.read("a.rst", text.encode())[1]


def words(text):
    return "\n\n".join(part.text for part in read(text).parts)


def test_sections_have_the_path_of_their_titles():
    document = read("Guide\n=====\n\nBefore.\n\nPumps\n-----\n\nWater\n~~~~~\n\nOne.\n\nEnd\n---\n\nTwo.\n")
    assert document.title == "Guide"
    assert [(part.label, part.text.split()[-1]) for part in document.parts] == [
        ("Guide", "Before."),
        ("Pumps > Water", "One."),
        ("End", "Two."),
    ]


def test_directives_and_roles_of_sphinx_are_read_by_their_content():
    text = words(
        ".. py:function:: open(path)\n   :module: io\n\n   Opens :ref:`a file <files>`.\n\n"
        ".. versionchanged:: 3.2\n   It is :py:class:`~io.Faster`.\n\n.. tip:: Close it.\n\n.. toctree::\n\n   other\n"
    )
    assert text.split("\n\n") == ["open(path)", "Opens a file.", "3.2 It is io.Faster.", "Tip:", "Close it."]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            ".. list-table:: Prices\n   :header-rows: 1\n\n   * - x\n     - y\n   * - 1\n     - 2\n",
            "Prices\nx: 1; y: 2",
        ),
        ('.. csv-table::\n   :header: a, b\n\n   "x, y", 3\n', "a: x, y; b: 3"),
        ("+---+---+\n| all of |\n+---+---+\n| 1 | 2 |\n+---+---+\n", "| all of |"),
        ("+---+---+\n| all   |\n+---+---+\n| 1 | 2 |\n+---+---+\n", "all\n1 | 2"),
    ],
)
def test_tables_of_each_form(table, expected):
    assert expected in words(table)


def test_text_with_faults_stays_as_it_stands():
    broken = "=== ==\na   b\nx\n=== ==\n\nUnclosed *emph and ``lit.\n\n.. list-table::\n\n   broken\n"
    assert "Unclosed *emph and ``lit." in words(broken)
    assert ".. list-table::\n\n   broken" in words(broken)


def test_no_other_file_is_opened(tmp_path):
    (tmp_path / "secret.txt").write_text("password 4711")
    path = f"{tmp_path}/secret.txt"
    table = f".. csv-table::\n   :file: {path}\n"
    document = read(f"Text.\n\n.. include:: {path}\n\n{table}\n.. raw:: html\n\n   <b>x</b>\n")
    assert "4711" not in "".join(part.text for part in document.parts)
    assert document.warnings == ["2 included files not read", "1 raw block not read"]


@pytest.mark.slow
def test_substitutions_without_end_are_not_expanded():
    laughs = "\n".join(f".. |l{n}| replace:: " + f"|l{n - 1}| " * 10 for n in range(1, 9))
    with_end = f".. |l0| replace:: ha\n{laughs}\n\nText |l8|.\n"
    assert len(words(with_end)) < 1_000_000


def test_deep_nesting_is_read_or_refused():
    deep = "\n\n".join("  " * depth + "* x" for depth in range(400))
    with suppress(UnreadableError):
        assert words(deep).count("x") == 400
