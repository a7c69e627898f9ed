"""Runs the campaigns: `python -m tests.campaign [NAME ...] [seed=N] [write=PAGE.md]`.

Without names all are run, each in an empty folder. `write=PAGE.md` puts the tables into the page. The status is 1
where one trial had a wrong outcome.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.campaign import damages, folders, keys, kills, replies, spread
from tests.campaign.table import Campaign, markdown, replaced

CAMPAIGNS: dict[str, Campaign] = {
    "kills": kills.run,
    "spread": spread.run,
    "damages": damages.run,
    "replies": replies.run,
    "folders": folders.run,
    "keys": keys.run,
}


def main(words: list[str]) -> int:
    """Runs the campaigns that the words name and prints their tables; returns the exit status."""
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    names = [word for word in words if "=" not in word] or list(CAMPAIGNS)
    if unknown := {*settings} - {"seed", "write"} | {*names} - {*CAMPAIGNS}:
        print(f"{', '.join(sorted(unknown))}: campaigns are {', '.join(CAMPAIGNS)}; settings are seed=N, write=PAGE")
        return 2
    wrong = 0
    for name in names:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"campaign-{name}-") as folder:
            rows = list(CAMPAIGNS[name](Path(folder), int(settings.get("seed", 0))))
        table = markdown(rows)
        print(f"\n{name}: {time.monotonic() - began:.0f} s\n\n{table}", flush=True)
        for line in (line for row in rows for line in row.wrong):
            print(f"wrong: {line}", flush=True)
            wrong += 1
        if page := settings.get("write"):
            text = Path(page).read_text(encoding="utf-8")
            Path(page).write_text(replaced(text, name, table), encoding="utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
