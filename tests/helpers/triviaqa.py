"""TriviaQA in tests: the corpus with its shipped settings, and the authors' layout with made documents."""

import json
from pathlib import Path
from typing import Any

import yaml

from raft_exp.corpora.triviaqa import Triviaqa, TriviaqaConfig

CONF = Path(__file__).parents[2] / "conf" / "corpus" / "triviaqa.yaml"


def corpus(path: Path | None, seed: int = 0, **changes: object) -> Triviaqa:
    settings = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    return Triviaqa(TriviaqaConfig(**{**settings, "path": path and str(path), **changes}), seed)


def record(name: str, question: str, value: str, *aliases: str, pages: dict[str, str], **more: Any) -> dict[str, Any]:
    """A record of the authors' files. `pages`: file name -> title of each page of Wikipedia."""
    answer = {
        "Value": value,
        "Aliases": list(aliases),
        "NormalizedAliases": [text.lower() for text in (value, *aliases)],
    }
    documents = [{"DocSource": "TagMe", "Filename": file, "Title": title} for file, title in pages.items()]
    row = {"QuestionId": name, "Question": question, "Answer": answer, "EntityPages": documents, "SearchResults": []}
    return {**row, "QuestionPartOfVerifiedEval": True, **more}


def archive(folder: Path, files: dict[str, list[dict[str, Any]]], evidence: dict[str, str]) -> Path:
    """Writes the authors' archive: qa/NAME.json, and evidence/NAME."""
    for name, rows in files.items():
        (folder / "qa").mkdir(parents=True, exist_ok=True)
        data = {"Data": rows, "Domain": "Wikipedia", "VerifiedEval": name.startswith("verified"), "Version": 1.0}
        (folder / "qa" / f"{name}.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    for name, text in evidence.items():
        (folder / "evidence" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "evidence" / name).write_text(text, encoding="utf-8")
    return folder
