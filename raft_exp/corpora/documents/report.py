"""The report ingest_report.json: the files that were not read, and the documents with their figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from raft_exp.corpora.documents.folder import File
from raft_exp.corpora.documents.pool import ReadDocument

_SHOWN = 3  # files named in a message


class DocumentFigures(TypedDict):
    """The figures of one document."""

    format: str
    title: str
    warnings: list[str]
    copy_of: str | None  # path of an earlier document with the same content
    passages: int
    duplicates: int  # passages left out because they have the same words as an earlier one
    near_duplicates: int  # passages left out because they nearly repeat an earlier one (`near_copies.py`)
    similar: int  # passages that nearly repeat one of another document; they are not left out, as some words differ


class ReportJson(TypedDict):
    """The content of ingest_report.json."""

    files: int
    read: int
    passages: int
    duplicates: int
    near_duplicates: int
    similar: int
    reasons: dict[str, int]
    not_read: list[dict[str, str]]
    documents: list[dict[str, object]]


@dataclass(frozen=True)
class IngestReport:
    """The result of reading each file of a corpus, by file name."""

    bad: dict[str, dict[str, str]]  # files not read: reason and detail
    documents: dict[str, DocumentFigures]
    anew: int  # files read in this run; not in ingest_report.json, which is the same for the same files

    @classmethod
    def of(cls, files: Sequence[File], readings: Sequence[ReadDocument]) -> "IngestReport":
        """Returns the report of `files`. `readings`: the results of the files that were not refused, in order."""
        bad, documents = dict[str, dict[str, str]](), dict[str, DocumentFigures]()
        first: dict[str, str] = {}  # key of the content -> name of the first file with it
        remaining = iter(readings)
        for file in files:
            if file.reason is not None:
                bad[file.name] = {"reason": str(file.reason), "detail": file.detail}
                continue
            reading = next(remaining)
            header = reading.header
            if "reason" in header:
                bad[file.name] = {"reason": header["reason"], "detail": header["detail"]}
                continue
            documents[file.name] = {
                "format": header["kind"],
                "title": header["title"],
                "warnings": header["warnings"],
                "copy_of": first.get(reading.key),
                "passages": 0,
                "duplicates": 0,
                "near_duplicates": 0,
                "similar": 0,
            }
            first.setdefault(reading.key, file.name)
        return cls(bad, documents, sum(reading.anew for reading in readings))

    def counts(self) -> dict[str, int]:
        """Returns the figures for counts.json."""
        reasons = {f"not_read_{reason.replace(' ', '_')}": count for reason, count in _reasons(self.bad).items()}
        with_warnings = sum(bool(document["warnings"]) for document in self.documents.values())
        return {
            "documents": len(self.documents),
            **self.repetitions(),
            "files_not_read": len(self.bad),
            "with_warnings": with_warnings,
            **reasons,
        }

    def repetitions(self) -> dict[str, int]:
        """Returns the numbers of passages that repeat others, over all documents, named as in `DocumentFigures`."""
        documents = self.documents.values()
        return {
            "duplicates": sum(document["duplicates"] for document in documents),
            "near_duplicates": sum(document["near_duplicates"] for document in documents),
            "similar": sum(document["similar"] for document in documents),
        }

    def remarks(self) -> list[str]:
        """Returns lines for the terminal about passages that repeat others."""
        counts = self.repetitions()
        lines = []
        if counts["duplicates"] or counts["near_duplicates"]:
            lines.append(
                f"{_passages(counts['duplicates'] + counts['near_duplicates'])} left out: "
                f"{counts['duplicates']} have the same words as an earlier passage, "
                f"{counts['near_duplicates']} nearly repeat an earlier passage and add nothing"
            )
        if counts["similar"]:
            lines.append(
                f"{_passages(counts['similar'])} kept although similar to a passage of another document, because some "
                "words differ (corpus.chunk.near_copies=similar leaves them out)"
            )
        return lines

    def as_dict(self) -> ReportJson:
        """Returns the content of ingest_report.json."""
        repeated = self.repetitions()
        return {
            "files": len(self.bad) + len(self.documents),
            "read": len(self.documents),
            "passages": sum(document["passages"] for document in self.documents.values()),
            "duplicates": repeated["duplicates"],
            "near_duplicates": repeated["near_duplicates"],
            "similar": repeated["similar"],
            "reasons": dict(sorted(_reasons(self.bad).items())),
            "not_read": [{"file": name, **failure} for name, failure in self.bad.items()],
            "documents": [{"file": name, **figures} for name, figures in self.documents.items()],
        }


def _passages(count: int) -> str:
    return "1 passage" if count == 1 else f"{count} passages"


def _reasons(bad: Mapping[str, Mapping[str, str]]) -> Counter[str]:
    return Counter(failure["reason"] for failure in bad.values())


def summary(bad: Mapping[str, Mapping[str, str]]) -> str:
    """Returns one line for messages: "3 files were not read: a.pdf (damaged: ...), ..."."""
    named = [f"{name} ({failure['reason']}: {failure['detail']})" for name, failure in list(bad.items())[:_SHOWN]]
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    files = "1 file was" if len(bad) == 1 else f"{len(bad)} files were"
    return f"{files} not read: {', '.join(named)}{more}"
