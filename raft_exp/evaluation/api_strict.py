"""The strict score of an API call: the function and the identifying arguments must equal those of the documentation.

Only one call of a reply is scored, the deciding call: the first one that equals a call of the documentation or of the
reference answers. Other calls of the reply, such as those that load a tokenizer, do not count.
"""

from collections import defaultdict
from collections.abc import Sequence, Set

from raft_exp.core.api_calls import ApiCall, calls, documented, lines
from raft_exp.corpora.apibench.documentation import Api
from raft_exp.evaluation.metrics.graded import CallClass


class CallRule:
    """Scores replies by the documentation of one hub."""

    def __init__(self, documentation: Sequence[Api]) -> None:
        self._domains: dict[ApiCall, set[str]] = defaultdict(set)
        for api in documentation:
            if api.call:
                self._domains[documented(api.call)].add(api.domain)

    def judge(self, reply: str, gold: Set[ApiCall], domain: str) -> CallClass:
        """Scores a reply by its deciding call: the first call that is in `gold` or in the documentation.

        - right: the deciding call is in `gold`.
        - same_domain: the deciding call is not in `gold`, but an API of `domain` has this call.
        - other_api: the deciding call is not in `gold`, and only APIs of other domains have it.
        - invented: the reply has calls, but none of them is in `gold` or in the documentation.
        - unparsed: the reply has no call that Python can parse. A documented call that Python cannot parse, such as a
          shell command, counts as parsed if the reply contains it word for word.
        """
        found = list(calls(reply))
        decisive = next((call for call in (*found, *lines(reply)) if call in gold or call in self._domains), None)
        if decisive is None:
            return "invented" if any(call.function for call in found) else "unparsed"
        if decisive in gold:
            return "right"
        return "same_domain" if domain in self._domains[decisive] else "other_api"
