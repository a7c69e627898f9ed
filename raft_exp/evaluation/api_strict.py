"""The strict score of an API call: function and identifying arguments equal those of the documentation.

The first call of a reply that equals a call of the documentation decides. Other calls (imports of tokenizers, steps
before and after) do not count.
"""

from collections import defaultdict
from collections.abc import Sequence, Set

from raft_exp.core.api_calls import ApiCall, calls, documented, lines
from raft_exp.corpora.apibench.documentation import Api
from raft_exp.evaluation.metrics.graded import CallClass


class CallRule:
    """The rule with the documentation of a hub."""

    def __init__(self, documentation: Sequence[Api]) -> None:
        self._domains: dict[ApiCall, set[str]] = defaultdict(set)
        for api in documentation:
            if api.call:
                self._domains[documented(api.call)].add(api.domain)

    def judge(self, reply: str, gold: Set[ApiCall], domain: str) -> CallClass:
        """Scores a reply.

        - right: the deciding call is one of `gold`.
        - same_domain: it is another call of the documentation, of an API with this `domain`.
        - other_api: it is a call of the documentation, of another domain.
        - invented: the reply has calls, but the documentation has none of them.
        - unparsed: the reply has no call that Python can parse. A call of the documentation that Python cannot parse,
          such as a shell command, counts as parsed if the reply has it word for word.
        """
        found = list(calls(reply))
        decisive = next((call for call in (*found, *lines(reply)) if call in gold or call in self._domains), None)
        if decisive is None:
            return "invented" if any(call.function for call in found) else "unparsed"
        if decisive in gold:
            return "right"
        return "same_domain" if domain in self._domains[decisive] else "other_api"
