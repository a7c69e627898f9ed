"""Makes raft_exp/assets/natural_questions, the questions in the package, from the oracle file of lost-in-the-middle.

    python tools/make_nq_slice.py nq-open-oracle.jsonl.gz

The output has question, answers and gold passage (title, text) of each record, without the other fields. Equal records
give equal bytes.
"""

import gzip
import json
import sys
from pathlib import Path

FILE = Path(__file__).parents[1] / "raft_exp" / "assets" / "natural_questions" / "nq-open-oracle.jsonl.gz"


def main() -> None:
    """Reads the oracle file of the command line, writes FILE, and prints the number of questions and bytes."""
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
