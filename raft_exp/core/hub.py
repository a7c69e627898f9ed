"""Whether the hub can be reached: its client would retry a missing network for 23 seconds, for every file."""

import ssl
import urllib.error
import urllib.request
from functools import cache

_PATIENCE = 5.0  # seconds for the hub's first word


@cache
def why_no_hub() -> str:
    """Why the Hugging Face hub does not answer, asked once a process; "" if it does, with whatever status."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=_PATIENCE).close()
    except urllib.error.HTTPError:
        return ""
    except OSError as error:
        reason = getattr(error, "reason", error)
        # The hub's client may trust other certificates than Python's own: let it decide.
        return "" if isinstance(reason, ssl.SSLError) else f"{constants.ENDPOINT} does not answer ({reason})"
    return ""
