"""What is read of each kind of file, as the table in docs/explanation/documents.md says."""

import io
import re
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from raft_exp.corpora.readers import documents
from raft_exp.corpora.readers.documents.document import UnreadableError
from tests.helpers import documents as made
from tests.helpers.document_features import FEATURES

PAGE = Path(__file__).parents[5] / "docs" / "explanation" / "documents.md"


@pytest.mark.parametrize("kind", FEATURES)
def test_each_feature_is_read_once_or_reported(kind):
    name, data, features = FEATURES[kind]
    found, document = documents.read(name, data)
    assert found == kind
    text = "\n".join(f"{part.kind} {part.label}\n{part.text}" for part in document.parts)
    for feature, (words, warning) in features.items():
        assert words is None or text.count(words) == 1, (feature, text)
        assert warning is None or warning in document.warnings, (feature, document.warnings)
    expected = sorted(warning for _, warning in features.values() if warning)
    assert sorted(document.warnings) == expected, "no other warning"


def table():
    """The table of the page: kinds by features."""
    names = list(dict.fromkeys(feature for _, _, features in FEATURES.values() for feature in features))
    lines = ["| | " + " | ".join(FEATURES) + " |", "|---" * (len(FEATURES) + 1) + "|"]
    for feature in names:
        cells = []
        for _, _, features in FEATURES.values():
            words, warning = features.get(feature, (None, None))
            cells.append("read" if words else "warned" if warning else "")
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_table_in_the_docs_is_this_one():
    found = re.search(r"<!-- features -->\n(.*?)\n<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert found[1].strip() == table()


@pytest.mark.parametrize(("name", "today"), [("a.doc", ".docx"), ("a.PPT", ".pptx"), ("b/a.xls", ".xlsx")])
def test_files_of_before_2007_are_to_be_converted(name, today):
    with pytest.raises(UnreadableError, match=f"before 2007; open it and save it as {today}"):
        documents.read(name, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


@pytest.mark.parametrize("kind", ["docx", "pptx", "xlsx"])
def test_the_strict_form_of_office_files_reads_alike(kind):
    """Office writes it as "Strict Open XML": the same parts under other namespaces."""
    name, data, _ = FEATURES[kind]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    strict = {
        member: re.sub(
            rb"http://schemas.openxmlformats.org/(?!package)(\w+)/2006/", rb"http://purl.oclc.org/ooxml/\1/", xml
        )
        for member, xml in members.items()
    }
    assert strict != members
    assert documents.read(name, made.zipped(strict)) == documents.read(name, data)


def test_no_passage_runs_from_one_sheet_into_another():
    from raft_exp.corpora.documents.chunks import chunks
    from raft_exp.corpora.readers.documents.document import Part

    parts = [
        Part("a: 1", "row", "One!2", "One"),
        Part("a: 2", "row", "One!3", "One"),
        Part("a: 3", "row", "Two!2", "Two"),
    ]
    assert [chunk.place for chunk in chunks(parts, 100, 0)] == ["rows One!2-One!3", "row Two!2"]


@pytest.mark.parametrize("kind", FEATURES)
def test_a_file_that_is_cut_off_is_read_or_refused(kind):
    """No error but that of a file that cannot be read, wherever it ends."""
    name, data, _ = FEATURES[kind]
    for end in range(0, len(data), max(1, len(data) // 40)):
        with suppress(UnreadableError):
            documents.read(name, data[:end])
