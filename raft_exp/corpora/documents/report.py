"""What came of every file: `ingest_report.json`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raft_exp.corpora.documents.folder import Found
from raft_exp.corpora.documents.pool import ReadDocument

_SHOWN = 3  # files that a line names


@dataclass(frozen=True)
class IngestReport:
    """Files that were not read, each with its reason, and documents with their figures, by name."""

    bad: dict[str, dict[str, str]]
    documents: dict[str, dict[str, Any]]
    anew: int  # files that had to be opened this time; no part of the report, which is the same for the same files

    @classmethod
    def of(cls, files: Sequence[Found], readings: Sequence[ReadDocument]) -> "IngestReport":
        """`readings` are of the files that were not refused, in their order."""
        bad, documents, first = {}, {}, dict[str, str]()
        read = iter(readings)
        for file in files:
            if file.reason is not None:
                bad[file.name] = {"reason": str(file.reason), "detail": file.detail}
                continue
            reading = next(read)
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
            }
            first.setdefault(reading.key, file.name)
        return cls(bad, documents, sum(reading.anew for reading in readings))

    def counts(self) -> dict[str, int]:
        """For the manifest and the terminal."""
        reasons = {f"not_read_{reason.replace(' ', '_')}": count for reason, count in _reasons(self.bad).items()}
        warned = sum(bool(document["warnings"]) for document in self.documents.values())
        return {
            "documents": len(self.documents),
            "duplicates": 0,
            "files_not_read": len(self.bad),
            "with_warnings": warned,
            **reasons,
        }

    def as_dict(self) -> dict[str, Any]:
        """What is written."""
        return {
            "files": len(self.bad) + len(self.documents),
            "read": len(self.documents),
            "passages": sum(document["passages"] for document in self.documents.values()),
            "duplicates": sum(document["duplicates"] for document in self.documents.values()),
            "reasons": dict(sorted(_reasons(self.bad).items())),
            "not_read": [{"file": name, **why} for name, why in self.bad.items()],
            "documents": [{"file": name, **told} for name, told in self.documents.items()],
        }


def _reasons(bad: Mapping[str, Mapping[str, str]]) -> Counter[str]:
    return Counter(why["reason"] for why in bad.values())


def summary(bad: Mapping[str, Mapping[str, str]]) -> str:
    """ "3 files were not read: a.pdf (damaged: ...), ..."."""
    named = [f"{name} ({why['reason']}: {why['detail']})" for name, why in list(bad.items())[:_SHOWN]]
    more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    files = "1 file was" if len(bad) == 1 else f"{len(bad)} files were"
    return f"{files} not read: {', '.join(named)}{more}"
