"""The settings of a test on another corpus (`evaluation.transfer`)."""

from raft_exp.core.schema import config_dataclass
from raft_exp.corpora import CorpusConfig


@config_dataclass
class TransferConfig:
    """A second corpus; the arms of a study also answer its test questions. The files of conf/ supply all values."""

    corpus: CorpusConfig
    task: str  # `prompt.task` for its questions: the kind of answer that they expect; "" for none
    evaluation: dict[str, object]  # the settings of its test: context, num_distractors, max_items ...
