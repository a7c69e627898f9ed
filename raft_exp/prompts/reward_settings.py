"""The settings for grading replies outside a study: exported rows contain them, and `raft_exp.rewards` reads them."""

from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.prompts.replies import ReplyFormat


@config_dataclass
class RewardSettings:
    """The settings of a study, and of one of its training sets, that decide the grades of a reply."""

    corpus: str  # its name decides how answers are compared
    metric: str  # the study's primary metric
    reply_format: ReplyFormat  # the requested form of replies
    refusal: str  # the text of a refusal in this study
    cot: bool  # whether the prompt requests reasoning with quotes
    min_quote_words: Positive  # a quote of fewer words is not verbatim
