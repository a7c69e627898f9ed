"""Today's date in chat templates, which is fixed by the setting prompt.date.

Some templates, e.g. those of Llama 3.x, write today's date into each prompt (`strftime_now`). Equal settings must give
equal prompts, so these templates get the date of prompt.date. For such models, store keys contain this date.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from raft_exp.core.hub import why_no_hub

DATE = "2024-07-26"  # the default date of Llama 3.2's template
CALL = "strftime_now"  # the function of transformers that templates call for the date
_FILES = ("chat_template.jinja", "tokenizer_config.json", "chat_template.json")  # files that may hold a template


def parsed(day: str) -> datetime:
    """Returns midnight of a day in the format 2024-07-26. Raises ValueError for another format."""
    if len(day) != len(DATE):  # fromisoformat also takes 20240726 and 2024-W30-5
        raise ValueError(day)
    return datetime.combine(date.fromisoformat(day), datetime.min.time())


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_LOCAL = re.compile("%([aAbBhpcxXs%])")  # %%, and what strftime formats by the machine's locale or time zone


def written(today: datetime, format: str) -> str:  # noqa: A002  # the name that templates know
    """Formats a day as strftime does, but with the same result on every machine.

    Names of days and months are English; %s is the number of seconds since 1970 in UTC.
    """
    month, day = _MONTHS[today.month - 1], _DAYS[today.weekday()]
    names = {"a": day[:3], "A": day, "b": month[:3], "h": month[:3], "B": month, "p": f"{'AP'[today.hour > 11]}M"}
    names |= {"c": f"{day[:3]} {month[:3]} {today:%e %H:%M:%S %Y}", "x": f"{today:%m/%d/%y}", "X": f"{today:%H:%M:%S}"}
    names |= {"s": str(int(today.replace(tzinfo=UTC).timestamp()))}
    return today.strftime(_LOCAL.sub(lambda part: names.get(part[1], part[0]), format))


@lru_cache(maxsize=64)
def asks_for_date(place: str, revision: str | None) -> bool:
    """Returns whether a model's chat template writes today's date into each prompt. `place`: a folder, or a hub id.

    For a hub model, reads only the template files, from the local cache or from the hub. Returns False if they cannot
    be read; such a model cannot be loaded either.
    """
    if Path(place).is_dir():
        files = [file for name in _FILES if (file := Path(place) / name).is_file()]
        files += sorted(Path(place).glob("additional_chat_templates/*.jinja"))
    else:
        found = (_of_hub(place, name, revision) for name in _FILES)
        files = [file for file in found if file]
    return any(CALL.encode() in file.read_bytes() for file in files)


def _of_hub(name: str, file: str, revision: str | None) -> Path | None:
    """Returns the path of a file of a hub model; None if neither the local cache nor the hub has it."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    cached = try_to_load_from_cache(name, file, revision=revision)
    if cached is not None:
        return Path(cached) if isinstance(cached, str) else None  # else: cached as missing
    if why_no_hub():
        return None
    try:
        return Path(hf_hub_download(name, file, revision=revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError):
        return None
