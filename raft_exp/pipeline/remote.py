"""Finished results in object storage, read and written by fsspec: `store=s3://BUCKET/FOLDER` or `gs://BUCKET/FOLDER`.

The objects have the names of the files in a local store: `<stage>/<key>/<file>`. A result is uploaded whole, and its
manifest last: without a manifest there is no result. A result is downloaded whole, and checked against its manifest
before it gets its place in the local store. Locks, unfinished results, the ledger and the list of runs stay local.

Credentials, region and endpoint are read from the environment (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, ...). No setting,
file or message contains them.
"""

import contextlib
import errno
import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from raft_exp.core import secrets
from raft_exp.core.errors import ConfigError, RaftError, StoreError
from raft_exp.pipeline.integrity import MANIFEST, damages, sync_folder
from raft_exp.pipeline.manifest import Manifest, damaged, parse_manifest

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_MARK = "raft_exp_store.txt"  # an object that shows that the folder can be written
_URL = re.compile(r"(s3|gs)://[A-Za-z0-9][A-Za-z0-9._-]+(/[^/@?#\s]+)*/?")
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
_NETWORK = {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 3}}  # timeouts in seconds
_OPTIONS: dict[str, dict[str, object]] = {"s3": {"config_kwargs": _NETWORK}, "gs": {}}


def is_remote(store: str) -> bool:
    """Whether a setting `store` is a URL and not a folder."""
    return "://" in store


def check_url(store: str) -> None:
    """Raises ConfigError for a URL that cannot be a store, or whose package is not installed."""
    if "@" in store or "?" in store:
        raise ConfigError(
            "store: contains a user name, password or query (not shown here); remove them: the credentials are those "
            "of the environment, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if not _URL.fullmatch(store):
        raise ConfigError(f"store: got {store!r}; must be a folder, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER")
    protocol = store.partition("://")[0]
    try:
        __import__(_PACKAGES[protocol])
    except ImportError:
        raise ConfigError(f"store: got {store!r}, which needs a package; pip install 'raft_exp[{protocol}]'") from None


def with_local_store(values: Mapping[str, object]) -> Mapping[str, object]:
    """Returns settings in which the folders of a remote store (`${store}/ledger`) are folders of `local_store`.

    Raises ConfigError for an invalid `local_store`, and the errors of `check_url`.
    """
    store, local = values.get("store"), values.get("local_store", "store")
    if not isinstance(store, str) or not is_remote(store):
        return values
    check_url(store)
    if not isinstance(local, str) or not local or is_remote(local):
        raise ConfigError(f"local_store: got {local!r}; must be a folder on this machine, because store={store}")

    url = store.rstrip("/")

    def moved(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: moved(part) for name, part in value.items()}
        if isinstance(value, list):
            return [moved(part) for part in value]
        within = isinstance(value, str) and value.startswith(f"{url}/")
        return str(Path(local, str(value).removeprefix(url).strip("/"))) if within else value

    return {name: value if name == "store" else moved(value) for name, value in values.items()}


@dataclass(frozen=True)
class RemoteResult:
    """A result in object storage. `manifest`: None for an unfinished upload or a manifest that cannot be used."""

    stage: str
    key: str
    size: int  # bytes
    manifest: Manifest | None
    problem: str = ""  # why the manifest cannot be used; "" if it can, and for an unfinished upload


class RemoteStore:
    """The finished results under one URL. The constructor raises the errors of `check_url`.

    All methods raise StoreError if the storage cannot be used: no network, no such bucket, wrong credentials.
    """

    def __init__(self, url: str) -> None:
        check_url(url)
        self.url = url.rstrip("/")
        self._root = self.url.partition("://")[2]

    @cached_property
    def _files(self) -> "AbstractFileSystem":
        import fsspec

        protocol = self.url.partition("://")[0]
        return fsspec.filesystem(protocol, use_listings_cache=False, **_OPTIONS[protocol])

    def manifest(self, stage: str, key: str, label: str) -> Manifest | None:
        """Returns the manifest of a result; None without a complete result. Raises StoreError for a damaged one."""
        with self._reached():
            try:
                content: bytes = self._files.cat_file(f"{self._root}/{stage}/{key}/{MANIFEST}")
            except FileNotFoundError:
                return None
        return parse_manifest(content, label, Path(stage, key), self.url)

    def check_writable(self) -> None:
        """Raises StoreError if this user cannot write objects. Called before the first result is computed."""
        with self._reached():
            self._files.pipe_file(f"{self._root}/{_MARK}", b"The finished results of raft_exp studies.\n")

    def upload(self, folder: Path, label: str) -> None:
        """Uploads the complete result in `folder`, its manifest last. Does nothing if the storage has the result."""
        stage, key = folder.parts[-2:]
        if self.manifest(stage, key, label) is not None:
            return
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
        place = f"{self._root}/{stage}/{key}"
        with self._reached():
            for file in files:
                self._files.put_file(str(file), f"{place}/{file.relative_to(folder).as_posix()}")
            self._files.pipe_file(f"{place}/{MANIFEST}", (folder / MANIFEST).read_bytes())

    def download(self, folder: Path, label: str) -> None:
        """Downloads a result to its place in the local store. Raises StoreError for a missing or damaged object."""
        stage, key = folder.parts[-2:]
        manifest = self.manifest(stage, key, label)
        assert manifest is not None, "only called for a complete result"
        partial = folder.with_suffix(".download")
        shutil.rmtree(partial, ignore_errors=True)
        names = [*(manifest["contents"] if "contents" in manifest else self._names(stage, key)), MANIFEST]
        try:
            for name in names:
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                with self._reached(), contextlib.suppress(FileNotFoundError):  # a missing object counts as damage
                    self._files.get_file(f"{self._root}/{stage}/{key}/{name}", str(partial / name))
            if found := damages(partial, manifest.get("contents", {})):
                raise damaged(self.url, label, folder, found)
            parse_manifest((partial / MANIFEST).read_bytes(), label, folder, self.url)
            for path in (*(path for path in partial.rglob("*") if path.is_dir()), partial):
                sync_folder(path)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        sync_folder(folder.parent)

    def _names(self, stage: str, key: str) -> list[str]:
        """Returns the names of the files of a result, for a manifest that does not list them."""
        place = f"{self._root}/{stage}/{key}/"
        with self._reached():
            names = (str(path).removeprefix(place) for path in self._files.find(place))
            return [name for name in names if name != MANIFEST]

    def damages(self, stage: str, key: str, manifest: Manifest) -> list[str]:
        """Reads every object of a result. Returns a line for each that is missing or differs from the manifest."""
        found = []
        for name, record in manifest.get("contents", {}).items():
            with self._reached():
                try:
                    with self._files.open(f"{self._root}/{stage}/{key}/{name}", "rb") as file:
                        same = hashlib.file_digest(file, "sha256").hexdigest() == record["sha256"]
                except FileNotFoundError:
                    found.append(f"{name}: no such object")
                else:
                    found += [] if same else [f"{name}: changed content"]
        return found

    def results(self) -> list[RemoteResult]:
        """Returns all results, also unfinished uploads, sorted by stage and key."""
        with self._reached():
            found: dict[str, dict[str, object]] = self._files.find(self._root, detail=True)
        sizes: dict[tuple[str, str], int] = {}
        finished = set()
        for path, facts in found.items():
            stage, _, rest = path.removeprefix(f"{self._root}/").partition("/")
            key, _, name = rest.partition("/")
            if name:
                sizes[stage, key] = sizes.get((stage, key), 0) + int(str(facts["size"]))
                finished |= {(stage, key)} if name == MANIFEST else set()
        return [self._result(*place, size, place in finished) for place, size in sorted(sizes.items())]

    def _result(self, stage: str, key: str, size: int, finished: bool) -> RemoteResult:
        try:
            return RemoteResult(stage, key, size, self.manifest(stage, key, stage) if finished else None)
        except StoreError as error:
            return RemoteResult(stage, key, size, None, str(error))

    def remove(self, stage: str, key: str) -> None:
        """Removes a result, its manifest first, so that no part of it counts as a result."""
        place = f"{self._root}/{stage}/{key}"
        with self._reached():
            if self._files.exists(f"{place}/{MANIFEST}"):
                self._files.rm_file(f"{place}/{MANIFEST}")
            if self._files.exists(place):
                self._files.rm(place, recursive=True)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Converts the errors of the storage into a StoreError on one line, without secrets."""
        try:
            yield
        except RaftError:
            raise
        except Exception as error:  # the errors of s3fs, botocore, gcsfs and aiohttp have no common class
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise  # about the local folder
            words = " ".join((str(error) or type(error).__name__).split())[:200]
            reason = type(error).__name__ if secrets.is_secret(words) else words
            raise StoreError(
                f"store={self.url}: cannot be used ({reason}); check the network, the bucket and the credentials in "
                "the environment, or use a local folder with store=PATH"
            ) from error
