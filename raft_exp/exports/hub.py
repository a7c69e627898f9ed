"""Pushes an exported folder to the Hugging Face hub, as a dataset repository or a model repository.

The push is not part of a stage. So a failed push does not lose the export, and every run pushes again instead of
skipping the push as already done.
"""

from pathlib import Path
from typing import Literal

from raft_exp.core import secrets
from raft_exp.core.errors import DataError
from raft_exp.core.hub import why_no_hub


def push(folder: Path, repository: str, private: bool, kind: Literal["dataset", "model"] = "dataset") -> str:
    """Uploads a folder to a repository, which is created if it does not exist. Returns the commit id.

    The token comes from HF_TOKEN or `hf auth login`. Raises DataError if the push fails, or if a text file contains a
    secret (`core.secrets`).
    """
    from huggingface_hub import HfApi, get_token

    if reason := why_no_hub():
        raise _refused(folder, repository, kind, f"{reason}; push from a machine with access to the hub")
    if not get_token():
        raise _refused(folder, repository, kind, "no token was found; set HF_TOKEN, or log in with `hf auth login`")
    secrets.check_files(folder, "pushed")
    try:
        hub = HfApi()
        hub.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        pushed = hub.upload_folder(
            repo_id=repository, repo_type=kind, folder_path=str(folder), commit_message=f"A {kind} from raft_exp"
        )
    except Exception as error:  # errors of httpx, hf_xet, the operating system or the hub
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _refused(
            folder, repository, kind, f"{reason}; check the repository name and the write access of the token"
        ) from error
    return str(pushed.oid)


def _refused(folder: Path, repository: str, kind: str, why: str) -> DataError:
    setting = "export.push_to_hub" if kind == "dataset" else "push_to_hub"
    return DataError(f"{setting}={repository!r} cannot be pushed: {why} (the files are in {folder})")
