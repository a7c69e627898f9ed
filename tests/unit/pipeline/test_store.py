"""Keys, finishing and reuse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from raft_exp.core.errors import StoreError
from raft_exp.core.schema import Runtime, config_dataclass
from raft_exp.core.stage import Stage, stage
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.manifest import check
from raft_exp.pipeline.store import Store


@config_dataclass
class Settings:
    """Settings of a made stage."""

    value: int
    workers: Runtime[int]


def marked(name="ingest", version=1, resumable=False):
    """A stage's function that writes two files."""

    @stage(name, version, resumable)
    def write(config, *, out, upstream=None):
        (out / "result.txt").write_text(str(config.value))
        (out / "counts.json").write_text('{"results": 1}')

    return write


STAGE = Stage(marked(), Settings(3, 1))


def execute(made, out):
    made.function(made.config, out=out)


def test_a_result_is_made_once(tmp_path):
    store, calls = Store(tmp_path), []

    def counted(stage, out):
        calls.append(stage.label)
        execute(stage, out)

    assert store.look(STAGE).status == "planned"
    first, second = store.ensure(STAGE, counted), store.ensure(STAGE, counted)
    assert (first.status, second.status, calls) == ("ran", "reused", ["ingest"])
    assert (second.path / "result.txt").read_text() == "3"
    assert second.counts == {"results": 1}
    manifest = json.loads((second.path / "manifest.json").read_text())
    assert manifest["config"] == {"value": 3}
    assert {"packages", "git_commit", "seconds", "counts", "inputs", "files", "key"} <= set(manifest)
    assert "torch" in manifest["packages"]


def test_what_changes_a_key():
    other = replace(STAGE, config=Settings(4, 1))
    assert STAGE.key == replace(STAGE, config=Settings(3, 9)).key, "runtime fields are no part of it"
    assert STAGE.key == replace(STAGE, part="x").key, "nor is the label in this study"
    changed = [
        other,
        replace(STAGE, function=marked(version=2)),
        replace(STAGE, function=marked("embed")),
        replace(STAGE, files={"a": "1"}),
        replace(STAGE, inputs={"upstream": STAGE}),
        replace(STAGE, inputs={"upstream": other}),
        replace(STAGE, inputs={"upstream": {"raft": other}}),
    ]
    assert len({stage.key for stage in [STAGE, *changed]}) == len(changed) + 1


@pytest.mark.parametrize("inputs", [{}, {"passages": STAGE, "other": STAGE}])
def test_inputs_are_those_of_the_function(inputs):
    @stage("index", 1)
    def index(config, *, passages, out):
        raise AssertionError("it is not run")

    with pytest.raises(TypeError, match=r"index: got the inputs .*; must have \['passages'\]"):
        Stage(index, None, inputs)


def test_a_manifest_that_a_killed_run_left_half_is_no_result(tmp_path):
    resumed = replace(STAGE, function=marked(resumable=True))
    store = Store(tmp_path)
    partial = store.path(resumed).with_suffix(".partial")
    partial.mkdir(parents=True)
    (partial / "manifest.json.23682.new").write_text("")
    made = store.ensure(resumed, execute).path
    assert {path.name for path in made.iterdir()} == {"result.txt", "counts.json", "manifest.json"}


def test_a_run_killed_before_its_folder_was_renamed_is_made_again_whole(tmp_path, monkeypatch):
    resumed, store = replace(STAGE, function=marked(resumable=True)), Store(tmp_path)

    def killed(self, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            store.ensure(resumed, execute)
    left = store.path(resumed).with_suffix(".partial") / "manifest.json"
    left.write_text(json.dumps(json.loads(left.read_text()), indent=9))  # of another size than the next one
    made = store.ensure(resumed, execute).path
    assert "manifest.json" not in json.loads((made / "manifest.json").read_text())["contents"]
    check(made, resumed.label, tmp_path)


@pytest.mark.parametrize(("resumable", "kept"), [(True, True), (False, False)])
def test_what_a_failed_stage_leaves(tmp_path, resumable, kept):
    failing = replace(STAGE, function=marked(resumable=resumable))
    seen = []

    def fails(stage, out):
        seen.append((out / "half.txt").exists())
        (out / "half.txt").write_text("half")
        raise ValueError("stopped")

    store = Store(tmp_path)
    for _ in range(2):
        with pytest.raises(ValueError, match="stopped"):
            store.ensure(failing, fails)
        assert store.look(failing).status == "planned", "a half result is never taken for a whole one"
    assert seen == [False, kept]


def test_what_a_killed_run_was_writing_is_no_part_of_the_result(tmp_path):
    store, unfinished = Store(tmp_path), Stage(marked(resumable=True), Settings(3, 1))
    partial = store.path(unfinished).with_suffix(".partial")
    (partial / "adapter").mkdir(parents=True)
    for name in ("manifest.json.17.new", "checkpoint.safetensors.new", ".tmpeAZtc6", "adapter/.tmpoVOQo7"):
        (partial / name).write_text("half")
    (partial / "checkpoint.safetensors").write_text("whole")
    made = store.ensure(unfinished, execute).path
    assert sorted(path.name for path in made.rglob("*") if path.is_file()) == [
        "checkpoint.safetensors",
        "counts.json",
        "manifest.json",
        "result.txt",
    ]


def test_a_full_disk_is_one_line(tmp_path):
    def full(stage, out):
        raise OSError(28, "No space left on device", str(out / "x"))

    with pytest.raises(StoreError, match=r"store=.*No space left on device.*choose another folder with store=PATH"):
        Store(tmp_path).ensure(STAGE, full)


def test_a_damaged_manifest_is_one_line(tmp_path):
    store = Store(tmp_path)
    (store.ensure(STAGE, execute).path / "manifest.json").write_text("{cut")
    with pytest.raises(StoreError, match=r"result of ingest is damaged \(ingest/.*manifest.json: .*store repair"):
        store.look(STAGE)


def test_content_is_hashed_once_until_the_file_changes(tmp_path, monkeypatch):
    file = tmp_path / "data.json"
    file.write_text("one")
    first = Fingerprints(Store(tmp_path / "store"))([file])
    import hashlib

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
        assert Fingerprints(Store(tmp_path / "store"))([file]) == first
    file.write_text("two, and longer")
    assert Fingerprints(Store(tmp_path / "store"))([file]) != first


def test_files_of_one_name_do_not_hide_each_other(tmp_path):
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(tmp_path / folder / "train.parquet")
        files[-1].write_text(folder)
    assert set(Fingerprints(Store(tmp_path), save=False)(files)) == {"a/train.parquet", "b/train.parquet"}


def test_nor_do_files_in_folders_of_one_name(tmp_path):
    files = [tmp_path / folder / "train" / "part-0.jsonl" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(str(file))
    other = tmp_path / "other.jsonl"
    other.write_text("")
    found = Fingerprints(Store(tmp_path), save=False)([*files, other])
    assert set(found) == {"a/train/part-0.jsonl", "b/train/part-0.jsonl", "other.jsonl"}
    assert len(set(found.values())) == 3
