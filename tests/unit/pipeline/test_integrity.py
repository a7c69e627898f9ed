"""A damaged result is noticed before it is used; a complete one is on the disk."""

import json
import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps import store as command
from raft_exp.core.errors import ConfigError, StoreError
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import Stage, stage
from raft_exp.pipeline.store import Store


@config_dataclass
class Settings:
    """Settings of a made stage."""

    value: int


@stage("ingest", 1)
def write(config, *, out):
    (out / "adapter").mkdir(exist_ok=True)
    (out / "adapter" / "adapter_config.json").write_text('{"lora_alpha": 32}')
    (out / "passages.jsonl").write_text('{"id": "a", "text": "One."}\n')
    (out / "weights.safetensors").write_bytes(bytes(range(256)))
    (out / "counts.json").write_text('{"passages": 1}')


@stage("index", 1)
def read(config, *, passages, out):
    (out / "index.txt").write_text((passages / "passages.jsonl").read_text())


MADE = Stage(write, Settings(1))
READER = Stage(read, Settings(1), {"passages": MADE})
FILES = ["adapter/adapter_config.json", "passages.jsonl", "weights.safetensors", "counts.json", "manifest.json"]


def fresh(folder: Path) -> Store:
    store = Store(folder)
    store.ensure(MADE, store.call)
    return store


def damage(path: Path, kind: str, place: float) -> None:
    """Changes one bit or letter, cuts, empties, grows or removes a file."""
    content = bytearray(path.read_bytes())
    at = min(int(place * len(content)), len(content) - 1)
    if kind == "bit":
        content[at] ^= 1 << (at % 8)
    elif kind == "letter":
        content[at] = ord("b") if content[at] != ord("b") else ord("c")
    elif kind == "cut":
        del content[at:]
    elif kind == "grown":
        content[at:at] = b"\n"
    path.unlink()
    if kind != "removed":
        path.write_bytes(b"" if kind == "emptied" else content)


@pytest.mark.slow
@given(
    name=st.sampled_from(FILES),
    kind=st.sampled_from(["bit", "letter", "cut", "grown", "emptied", "removed"]),
    place=st.floats(0, 1),
)
def test_every_damage_is_noticed_before_the_result_is_used(name, kind, place):
    with TemporaryDirectory() as folder:
        store = fresh(Path(folder))
        path, manifest = store.path(MADE) / name, (store.path(MADE) / "manifest.json").read_text()
        damage(path, kind, place)
        if name == "manifest.json":
            try:
                if json.loads(path.read_text(errors="replace")) == json.loads(manifest):
                    return  # a blank between two fields
            except (OSError, ValueError):
                pass
        if name == "manifest.json" and kind == "removed":
            assert store.look(MADE).status == "planned", "without a manifest there is no result"
            return
        with pytest.raises(StoreError, match=r"the result of ingest is damaged .*store repair") as error:
            store.ensure(READER, store.call)
        assert "\n" not in str(error.value)
        assert not store.path(READER).exists()


def test_the_manifest_of_another_result_is_noticed(tmp_path):
    store, other = fresh(tmp_path), replace(MADE, config=Settings(2))
    store.ensure(other, store.call)
    (store.path(MADE) / "manifest.json").write_bytes((store.path(other) / "manifest.json").read_bytes())
    with pytest.raises(StoreError, match=r"manifest.json: belongs to another result"):
        store.look(MADE)


def test_a_file_is_hashed_once_in_a_process(tmp_path, monkeypatch):
    import hashlib

    store = fresh(tmp_path)
    store.checked(MADE)
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    store.checked(MADE)


def test_a_result_of_an_older_version_is_used(tmp_path):
    store = fresh(tmp_path)
    file = store.path(MADE) / "manifest.json"
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in manifest.items() if name not in ("contents", "digest")}))
    assert store.look(MADE).status == "reused"
    assert store.ensure(READER, store.call).status == "ran"


def test_files_and_folders_are_on_the_disk_before_the_result_counts(tmp_path, monkeypatch):
    """Records what reaches the disk, and when the manifest and the result get their names."""
    events: list[tuple[str, str]] = []
    fsync, rename, replace_file = os.fsync, Path.rename, Path.replace
    proc = Path("/proc/self/fd")
    if not proc.exists():
        pytest.skip("the names of open files are read from /proc")

    def recorded_fsync(opened):
        events.append(("fsync", os.readlink(proc / str(opened)).removeprefix(str(tmp_path))))
        fsync(opened)

    def recorded(kind, original):
        def call(self, target):
            events.append((kind, str(target).removeprefix(str(tmp_path))))
            return original(self, target)

        return call

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "rename", recorded("rename", rename))
    monkeypatch.setattr(Path, "replace", recorded("replace", replace_file))
    store = fresh(tmp_path)
    final = f"/ingest/{MADE.key}"
    partial = f"{final}.partial"
    manifest, result = events.index(("replace", f"{partial}/manifest.json")), events.index(("rename", final))
    synced = {name for kind, name in events[:manifest] if kind == "fsync"}
    names = {path.relative_to(store.path(MADE)).as_posix() for path in store.path(MADE).rglob("*")}
    assert {f"{partial}/{name}" for name in names - {"manifest.json"}} | {partial} <= synced
    assert any(name.startswith(f"{partial}/manifest.json.") for name in synced), "the manifest's own bytes"
    assert ("fsync", partial) in events[manifest:result], "the manifest's name"
    assert ("fsync", "/ingest") in events[result:], "the result's name"


def run(capsys, *words: str) -> tuple[int, str]:
    """Exit status and output of the command."""
    try:
        command.main(list(words))
    except SystemExit as stop:
        printed = capsys.readouterr()
        return int(stop.code or 0), printed.out + printed.err
    return 0, capsys.readouterr().out


def test_verify_names_what_is_damaged_and_repair_removes_it(tmp_path, capsys, monkeypatch):
    store = fresh(tmp_path)
    store.ensure(READER, store.call)
    where = f"store={tmp_path}"
    assert run(capsys, "verify", where) == (0, "2 results checked, 0 damaged\n")
    damage(store.path(MADE) / "weights.safetensors", "bit", 0.5)
    status, out = run(capsys, "verify", where)
    assert (status, "weights.safetensors: changed content" in out, "2 results checked, 1 damaged" in out) == (
        2,
        True,
        True,
    )

    monkeypatch.setattr("builtins.input", lambda _: (_ for _ in ()).throw(EOFError))
    status, out = run(capsys, "repair", where)
    assert (status, "no terminal at which to confirm the removal; add yes=true" in out) == (2, True)
    status, out = run(capsys, "repair", where, "yes=true")
    assert (status, "removed 1 results of 1" in out) == (0, True)
    assert (store.look(MADE).status, store.look(READER).status) == ("planned", "reused")
    assert store.ensure(MADE, store.call).status == "ran"
    assert run(capsys, "verify", where)[0] == 0


def test_a_list_shows_a_damaged_manifest(tmp_path, capsys):
    store = fresh(tmp_path)
    (store.path(MADE) / "manifest.json").write_text("{cut")
    assert "damaged" in run(capsys, "ls", f"store={tmp_path}")[1]
    assert "nothing to prune" in run(capsys, "prune", f"store={tmp_path}")[1]


def test_prune_without_a_terminal_is_one_line(tmp_path, monkeypatch):
    fresh(tmp_path)
    monkeypatch.setattr("builtins.input", lambda _: (_ for _ in ()).throw(EOFError))
    with pytest.raises(ConfigError, match=r"add yes=true"):
        command._remove_all(command.entries(tmp_path), yes=False, note="")
