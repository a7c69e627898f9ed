"""Store keys and data files stay what they were: tests/golden/README.md says when keys.json may be renewed."""

import json

import pytest

from tests.golden.keys import EMBEDDED, FILE, PUBLISHED, hashes, keys

GOLDEN = json.loads(FILE.read_text())


@pytest.mark.parametrize("case", EMBEDDED)
def test_keys_of_embedded_studies_are_those_of_the_golden_file(case, tmp_path):
    assert keys({case: EMBEDDED[case]}, tmp_path)[case] == GOLDEN["embedded"][case]


@pytest.mark.parametrize("case", PUBLISHED)
def test_keys_of_studies_on_real_records_are_those_of_the_golden_file(case, tmp_path, test_data):
    assert keys({case: PUBLISHED[case]}, tmp_path, str(test_data))[case] == GOLDEN["published"][case]


def test_the_golden_file_holds_every_case_and_no_other():
    assert set(GOLDEN["embedded"]) == set(EMBEDDED)
    assert set(GOLDEN["published"]) == set(PUBLISHED)


def test_data_files_of_a_small_study_are_those_of_the_golden_file(tmp_path):
    assert hashes(tmp_path) == GOLDEN["files"]
