"""A store in object storage: results are shared by machines, and nothing half, damaged or secret passes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from raft_exp.apps import cli
from raft_exp.apps import store as command
from raft_exp.core.errors import ConfigError, StoreError
from raft_exp.core.schema import config_dataclass
from raft_exp.core.stage import Stage, stage
from raft_exp.pipeline import remote
from raft_exp.pipeline.build import build
from raft_exp.pipeline.fingerprints import Fingerprints
from raft_exp.pipeline.parsing import parse
from raft_exp.pipeline.remote import RemoteStore, with_local_store
from raft_exp.pipeline.run import FinishedRun
from raft_exp.pipeline.runner import Runner
from raft_exp.pipeline.store import Store, open_store
from tests.helpers import object_storage
from tests.helpers.composing import compose
from tests.helpers.scripted_teacher import corpus

URL = "s3://bucket/studies"


@pytest.fixture(scope="module")
def server():
    with object_storage.s3_server() as url:
        yield url


@pytest.fixture
def bucket(server, monkeypatch):
    """The bucket of the server, empty."""
    object_storage.use(server, monkeypatch)
    found = boto3.resource("s3").Bucket("bucket")
    found.objects.all().delete()
    return found


@config_dataclass
class Settings:
    """Settings of a made stage."""

    value: int


def made(name="ingest"):
    @stage(name, 1)
    def write(config, *, out):
        (out / "part").mkdir()
        (out / "part" / "result.txt").write_text(str(config.value) * 100)
        (out / "counts.json").write_text('{"results": 1}')

    return Stage(write, Settings(3))


STAGE = made()


def refuse(*_):
    pytest.fail("the stage ran again")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def objects(bucket) -> list[str]:
    return sorted(found.key for found in bucket.objects.all())


def test_a_result_of_one_machine_is_reused_on_another(tmp_path, bucket):
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    assert first.ensure(STAGE, first.call).status == "ran"
    assert second.look(STAGE).status == "reused"
    assert not second.path(STAGE).exists(), "a look downloads nothing"
    outcome = second.ensure(STAGE, refuse)
    assert (outcome.status, outcome.counts) == ("reused", {"results": 1})
    assert files(first.path(STAGE)) == files(second.path(STAGE))
    place = f"studies/ingest/{STAGE.key}"
    names = ["counts.json", "manifest.json", "part/result.txt"]
    assert objects(bucket) == [f"{place}/{name}" for name in names] + ["studies/raft_exp_store.txt"]
    assert not list((tmp_path / "b").rglob("*.download"))


@pytest.mark.parametrize("name", ["model", "embed"])
def test_a_large_result_is_downloaded_when_it_is_read(tmp_path, bucket, name):
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    large = made(name)
    first.ensure(large, first.call)
    assert second.ensure(large, refuse).status == "reused"
    assert not second.path(large).exists()
    assert files(second.checked(large)) == files(first.path(large))


def test_a_result_from_before_the_url_is_uploaded(tmp_path, bucket):
    Store(tmp_path / "a").ensure(STAGE, Store(tmp_path / "a").call)
    assert objects(bucket) == []
    open_store(URL, str(tmp_path / "a")).ensure(STAGE, refuse)
    assert f"studies/ingest/{STAGE.key}/manifest.json" in objects(bucket)


def test_a_result_whose_manifest_lists_no_file_is_downloaded_whole(tmp_path, bucket):
    local = Store(tmp_path / "a")
    folder = local.ensure(STAGE, local.call).path
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in ("contents", "digest"):  # as in older results
        del manifest[name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    open_store(URL, str(tmp_path / "a")).ensure(STAGE, refuse)
    second = open_store(URL, str(tmp_path / "b"))
    second.ensure(STAGE, refuse)
    assert files(second.path(STAGE)) == files(folder)


def test_a_local_store_that_does_not_exist_yet_can_be_written(tmp_path):
    assert Store(tmp_path / "new" / "store").writable


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_killed_upload_is_no_result_and_is_repeated(tmp_path, bucket, monkeypatch, done):
    storage = RemoteStore(URL)._files  # the instance of all stores

    def uploaded() -> int:
        return sum("/ingest/" in name for name in objects(bucket))

    def killed(write):
        def call(*arguments):
            if uploaded() >= done and any("/ingest/" in str(argument) for argument in arguments):
                raise Killed
            return write(*arguments)

        return call

    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    with monkeypatch.context() as patch:
        for name in ("put_file", "pipe_file"):
            patch.setattr(storage, name, killed(getattr(storage, name)))
        with pytest.raises(Killed):
            first.ensure(STAGE, first.call)
    assert uploaded() == done
    assert second.look(STAGE).status == "planned", "without a manifest there is no result"
    assert first.ensure(STAGE, refuse).status == "reused"
    assert second.ensure(STAGE, refuse).status == "reused"
    assert files(first.path(STAGE)) == files(second.path(STAGE))


def test_a_killed_download_leaves_nothing_that_counts(tmp_path, bucket, monkeypatch):
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    first.ensure(STAGE, first.call)
    left = second.path(STAGE).with_suffix(".download")
    (left / "part").mkdir(parents=True)
    (left / "part" / "other.txt").write_text("half")
    assert second.look(STAGE).status == "reused"
    assert second.ensure(STAGE, refuse).status == "reused"
    assert files(first.path(STAGE)) == files(second.path(STAGE))
    assert not left.exists()


@pytest.mark.parametrize("named", ["in the settings", "by the command"])
def test_a_run_folder_on_another_machine_finds_its_results(tmp_path, bucket, monkeypatch, named):
    first = open_store(URL, str(tmp_path / "a"))
    row = first.ensure(STAGE, first.call).as_dict() | {"path": f"/gone/store/ingest/{STAGE.key}"}
    run = tmp_path / "run"
    run.mkdir()
    (run / "plan.json").write_text(json.dumps([row]))
    (run / "config.yaml").write_text(f"store: {URL if named == 'in the settings' else 'store'}\n")
    monkeypatch.chdir(tmp_path)
    finished = FinishedRun(run, URL if named == "by the command" else None)
    assert files(finished.path("ingest")) == files(first.path(STAGE))
    assert finished.path("ingest").is_relative_to(tmp_path / "store")


DAMAGES = {
    "a changed object": lambda found: found.put(Body=b"4" * 100),
    "a short object": lambda found: found.put(Body=b"3" * 99),
    "a missing object": lambda found: found.delete(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_never_used_and_can_be_removed(tmp_path, bucket, damage, capsys):
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    first.ensure(STAGE, first.call)
    DAMAGES[damage](bucket.Object(f"studies/ingest/{STAGE.key}/part/result.txt"))
    with pytest.raises(StoreError, match=rf"store={URL}: the result of ingest is damaged .*part/result.txt") as error:
        second.ensure(STAGE, refuse)
    assert f"`python -m raft_exp.store repair store={URL}`" in str(error.value)
    assert files(tmp_path / "b") == {f"ingest/{STAGE.key}.lock": b""}
    for action, status in (("verify", 2), ("repair", 0), ("verify", 0)):
        code = 0
        try:
            command.main([action, f"store={URL}", "yes=true"])
        except SystemExit as ended:
            code = int(str(ended.code or 0))
        assert code == status, action
    assert "1 results checked, 1 damaged" in capsys.readouterr().out
    assert objects(bucket) == ["studies/raft_exp_store.txt"]
    assert first.ensure(STAGE, refuse).status == "reused"
    assert second.ensure(STAGE, refuse).status == "reused", "the first machine has uploaded it again"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": "x"}'])
def test_a_damaged_manifest_is_one_line(tmp_path, bucket, content):
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    first.ensure(STAGE, first.call)
    bucket.Object(f"studies/ingest/{STAGE.key}/manifest.json").put(Body=content)
    with pytest.raises(StoreError, match=rf"store={URL}: the result of ingest is damaged .*manifest\.json"):
        second.look(STAGE)


def test_a_manifest_of_another_result_is_refused(tmp_path, bucket):
    first = open_store(URL, str(tmp_path / "a"))
    other = replace(STAGE, config=Settings(4))
    for each in (STAGE, other):
        first.ensure(each, first.call)
    content = bucket.Object(f"studies/ingest/{other.key}/manifest.json").get()["Body"].read()
    bucket.Object(f"studies/ingest/{STAGE.key}/manifest.json").put(Body=content)
    with pytest.raises(StoreError, match="belongs to another result"):
        open_store(URL, str(tmp_path / "b")).look(STAGE)


@pytest.mark.parametrize("trouble", ["network", "key", "bucket"])
def test_a_storage_that_cannot_be_used_ends_in_one_line_before_the_work(tmp_path, bucket, monkeypatch, trouble):
    options = {"retries": {"max_attempts": 0}, "user_agent_extra": trouble}  # an instance of its own
    monkeypatch.setattr(remote, "_OPTIONS", {"s3": {"config_kwargs": options}})
    if trouble == "network":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    if trouble == "key":
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    url = URL.replace("bucket", "nobucket") if trouble == "bucket" else URL
    with pytest.raises(StoreError) as error:
        open_store(url, str(tmp_path / "a")).ensure(STAGE, refuse)
    line = str(error.value)
    assert line.startswith(f"store={url}: cannot be used (")
    assert line.endswith("or use a local folder with store=PATH")
    assert "\n" not in line
    assert object_storage.SECRET not in line


def test_a_reason_with_a_secret_is_not_shown(tmp_path, bucket, monkeypatch):
    store = RemoteStore(URL)

    def leaks(*_):
        raise OSError(f"denied for {object_storage.SECRET}")

    monkeypatch.setattr(store._files, "cat_file", leaks)
    with pytest.raises(StoreError, match=r"cannot be used \(OSError\)"):
        store.manifest("ingest", "k", "ingest")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("abfs://bucket/x", "store: got 'abfs://bucket/x'; must be a folder, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"),
        ("s3://", "store: got 's3://'; must be a folder"),
        ("s3://bucket//x", "must be a folder"),
        ("s3://bucket/a b", "must be a folder"),
        ("s3://key:hush@bucket/x", "store: contains a user name, password or query (not shown here)"),
        ("s3://bucket/x?key=hush", "store: contains a user name, password or query (not shown here)"),
    ],
)
def test_a_url_that_is_no_store_is_refused(url, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        with_local_store({"store": url})
    assert "hush" not in str(error.value)


@pytest.mark.parametrize("protocol", ["s3", "gs"])
def test_a_missing_package_names_its_extra(monkeypatch, protocol):
    monkeypatch.setitem(__import__("sys").modules, {"s3": "s3fs", "gs": "gcsfs"}[protocol], None)
    with pytest.raises(ConfigError, match=rf"needs a package; pip install 'raft_exp\[{protocol}\]'"):
        with_local_store({"store": f"{protocol}://bucket/x"})


def test_the_ledger_and_caches_are_in_the_local_store():
    values = {
        "store": f"{URL}/",
        "local_store": "here",
        "teacher": {"ledger": f"{URL}//ledger", "base_url": "http://x/v1"},
        "corpus": {"cache": f"{URL}/extracted", "path": ["s3://bucket/other/x"]},
    }
    moved = with_local_store(values)
    assert moved["teacher"] == {"ledger": "here/ledger", "base_url": "http://x/v1"}
    assert moved["corpus"] == {"cache": "here/extracted", "path": ["s3://bucket/other/x"]}
    assert moved["store"] == f"{URL}/"
    with pytest.raises(ConfigError, match=r"local_store: got 's3://bucket/x'; must be a folder on this machine"):
        with_local_store({**values, "local_store": "s3://bucket/x"})


@pytest.mark.parametrize("action", ["ls", "prune"])
def test_the_commands_list_results_and_say_what_they_leave(tmp_path, bucket, capsys, action):
    first = open_store(URL, str(tmp_path / "a"))
    first.ensure(STAGE, first.call)
    bucket.Object("studies/train/abc/part.bin").put(Body=b"half")
    if action == "prune":
        with pytest.raises(SystemExit):
            command.main(["prune", f"store={URL}"])
        assert "prune finds only the run folders of this machine" in capsys.readouterr().err
        assert len(objects(bucket)) == 5
    else:
        command.main(["ls", f"store={URL}"])
        out = capsys.readouterr().out
        assert re.search(rf"ingest +.* {STAGE.key[:12]}.*complete", out)
        assert re.search(r"train .*abc.*unfinished upload", out)


def study(folder: Path, *overrides: str) -> dict[str, Path]:
    """Runs a study up to its questions on a machine with the local store `folder`; label -> folder of the result."""
    config = parse(compose(*overrides, f"store={URL}", f"local_store={folder}", "until=questions"))
    store = open_store(config.store, config.local_store)
    return {made.label: store.ensure(made, store.call).path for made in build(config, Fingerprints(store))}


def test_a_dry_run_on_another_machine_shows_the_warning_of_the_questions(tmp_path, bucket, capsys):
    ask = corpus(tmp_path / "data")
    asked = tmp_path / "data" / "questions.jsonl"
    rows = [json.loads(line) for line in asked.read_text().splitlines()]
    long = [row | {"answers": [f"{row['answers'][0]}{' word' * 11}"]} for row in rows]
    asked.write_text("".join(json.dumps(row) + "\n" for row in long))
    study(tmp_path / "a", *ask)
    place = (f"store={URL}", f"local_store={tmp_path / 'b'}", "model=tiny", "until=questions")
    (tmp_path / "run").mkdir()
    outcomes = cli.study(compose(*ask, *place, "dry_run=true"), tmp_path / "run", [])
    assert {outcome.status for outcome in outcomes} == {"reused"}
    said = " ".join(capsys.readouterr().err.split())
    assert "warning: The answers of the test questions have 12 words in the median" in said


def test_a_dry_run_on_another_machine_shows_the_choice(tmp_path, bucket, capsys):
    figure = {"n": 9, "value": 0.5}
    choice = {
        "setting": "trainer.lr",
        "metric": "exact_match",
        "chosen": "0.1",
        "value": 0.1,
        "edge": "highest",
        "candidates": [{"name": "0.1", "value": 0.1, "mean": 0.5, "arms": {"raft": figure}}],
    }

    @stage("select", 1)
    def select(config, *, out):
        (out / "choice.json").write_text(json.dumps(choice))
        (out / "counts.json").write_text("{}")

    made = Stage(select, Settings(3), part="raft")
    first, second = open_store(URL, str(tmp_path / "a")), open_store(URL, str(tmp_path / "b"))
    first.ensure(made, first.call)
    (tmp_path / "run").mkdir()
    Runner(second, tmp_path / "run", tmp_path / "config.yaml").plan([made])
    said = capsys.readouterr().err
    assert "raft: trainer.lr=0.1, the best of 1 on 9 validation questions (exact match 50.0)" in said
    assert "is the highest value of the grid" in said


def test_a_study_continues_on_another_machine_and_leaves_no_key_behind(tmp_path, bucket, monkeypatch):
    ask = corpus(tmp_path / "data")
    first = study(tmp_path / "a", *ask)
    monkeypatch.setattr(Store, "_make", refuse)
    second = study(tmp_path / "b", *ask)
    assert first.keys() == second.keys()
    for label, folder in first.items():
        assert files(second[label]) == files(folder), label
        assert second[label].is_relative_to(tmp_path / "b")
    stored = [found.get()["Body"].read() for found in bucket.objects.all()]
    written = [*stored, *files(tmp_path).values()]
    assert not [content for content in written if object_storage.SECRET.encode() in content]
