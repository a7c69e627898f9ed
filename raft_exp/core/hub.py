"""Checks whether the Hugging Face hub can be reached. Without network, the hub's client retries each file for 23 s."""

import ssl
import urllib.error
import urllib.request
from functools import cache

_TIMEOUT = 5.0  # seconds


@cache
def why_no_hub() -> str:
    """Returns the reason why the hub cannot be reached; "" if the hub replies, with any HTTP status.

    The check runs once per process.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=_TIMEOUT).close()
    except urllib.error.HTTPError:
        return ""
    except OSError as error:
        reason = getattr(error, "reason", error)
        # The hub's client may trust certificates that Python does not.
        return "" if isinstance(reason, ssl.SSLError) else f"{constants.ENDPOINT} does not answer ({reason})"
    return ""
