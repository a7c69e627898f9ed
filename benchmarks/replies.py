"""How well replies are read: precision and recall of each detector on the labelled replies of tests/data/replies.jsonl.

python -m benchmarks.replies [--part develop] [--errors]

The list is our own: written replies of the forms that instruct models use, and replies of the quickstart's arms. The
held-out part was written before the detectors were tuned; use --errors with `develop` alone.
"""

import argparse
import json

from tests.helpers.reply_list import measure, read, right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["develop", "held_out"], default="held_out")
    parser.add_argument("--errors", action="store_true", help="print the rows that are read wrongly")
    chosen = parser.parse_args()
    rows = [row for row in read() if row["part"] == chosen.part]
    wrong = [row for row in rows if not right(row)] if chosen.errors else []
    for row in wrong:
        print(json.dumps(row, ensure_ascii=False))
    print(json.dumps(measure(rows), indent=1))


if __name__ == "__main__":
    main()
