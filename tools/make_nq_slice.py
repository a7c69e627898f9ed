"""Makes the questions that the package ships (raft_exp/assets/natural_questions) from lost-in-the-middle's oracle file.

    python tools/make_nq_slice.py nq-open-oracle.jsonl.gz

Each record keeps question, answers and the gold passage (title, text); the other fields are dropped. The bytes depend
on the records alone.
"""

import gzip
import json
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / "raft_exp" / "assets" / "natural_questions" / "nq-open-oracle.jsonl.gz"


def main() -> None:
    """Writes FILE, and prints its size."""
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    lines = [json.dumps(_slim(row), ensure_ascii=False, separators=(",", ":")) for row in rows]
    with FILE.open("wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as file:
        file.write(("\n".join(lines) + "\n").encode())
    print(f"{FILE}: {len(lines)} questions, {FILE.stat().st_size:,} bytes")


def _slim(row: dict) -> dict:
    gold = [context for context in row["ctxs"] if context["isgold"]]
    passages = [{"title": context["title"], "text": context["text"], "isgold": True} for context in gold]
    return {"question": row["question"], "answers": row["answers"], "ctxs": passages}


if __name__ == "__main__":
    main()
