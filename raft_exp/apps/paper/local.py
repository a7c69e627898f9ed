"""The data sets of the paper in a local folder: a subfolder for each, with the name of its experiment."""

from pathlib import Path

from raft_exp.core.errors import DataError

# Natural Questions: a folder without a file of these names has too few training records. Then the file of test contexts
# is split at random.
_NQ_TRAINING = ("biencoder-nq-train.json*", "*simplified-nq-train*", "nq-train-*", "train-*-of-*.parquet")
_NQ_CONTEXTS = ("nq-open-20_total_documents_gold_at_*.jsonl*",)


def local_words(data: Path, experiment: str) -> tuple[list[str], str]:
    """Returns the settings that read a data set from its folder, and a text about missing files ("" for none).

    `data`: the folder of all data sets. `experiment`: the name of the data set's experiment, and of its folder in
    `data`. Raises DataError if this folder does not exist.
    """
    folder = data / experiment
    if not folder.is_dir():
        raise DataError(f"{data} has no folder {experiment}; put the files of the data set there")
    if experiment == "natural_questions" and not _found(folder, _NQ_TRAINING):
        contexts = _found(folder, _NQ_CONTEXTS)
        if contexts:
            lack = f"{experiment} has no training file; the test contexts in {contexts[0].name} are split at random"
            return [f"corpus.path={contexts[0]}"], lack
    return [f"corpus.path={folder}"], ""


def _found(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return sorted(path for name in names for path in folder.rglob(name) if path.is_file())
