"""Types of the `audit.json` files: of a dataset, of a teacher's replies, and of a whole study.

Stages write one `audit.json` each; the report stage combines them into the `audit.json` of the study. Shares are
fractions in 0..1. Keys marked `NotRequired` depend on the kind of dataset or on optional features.
"""

from typing import Literal, NotRequired, TypedDict, get_args


class Histogram(TypedDict):
    """A histogram: `counts[i]` values lie between `edges[i]` and `edges[i + 1]`."""

    edges: list[float]
    counts: list[int]


class Spread(TypedDict):
    """The distribution of a length in tokens over the rows of a split."""

    min: int
    median: float
    max: int
    sum: int
    histogram: Histogram


class GoldPlace(TypedDict):
    """The number of gold passages at one position of the prompt, and the number expected from a uniform shuffle."""

    found: int
    expected: float


class RowCounts(TypedDict, total=False):
    """Counts over the rows of a split. A key that applies to no row of the split is absent."""

    distractors_cut: int  # distractors shortened to fit the prompt
    distractors_of_gold_document: int
    distractors_with_answer: int  # distractors that contain an answer
    escaped: int  # control tokens and delimiters escaped in texts
    escaped_messages: int  # of a ready chat file: messages with escaped control tokens
    gold_cut: int  # gold passages shortened to fit the prompt
    grounded: int  # targets whose evidence is in the context
    quotes_closest: int  # quotes in grounded targets whose gold was assigned by similarity
    quotes_closest_verbatim: int
    quotes_grounded: int  # quotes in other grounded targets
    quotes_grounded_verbatim: int
    quotes_ungrounded: int  # quotes in targets whose evidence is not in the context
    quotes_ungrounded_verbatim: int
    reasons_dropped: int  # targets without their reasoning, because the prompt shows no text of a passage
    repeated_texts: int  # passages whose text occurs earlier in the same context
    replaced: int  # characters replaced by U+FFFD
    rows_cut: int  # rows whose passages were shortened to fit the prompt
    rows_gold_lost: int  # rows with all gold passages from which cutting removed evidence; they count as without gold


RowCount = Literal[
    "distractors_cut",
    "distractors_of_gold_document",
    "distractors_with_answer",
    "escaped",
    "escaped_messages",
    "gold_cut",
    "grounded",
    "quotes_closest",
    "quotes_closest_verbatim",
    "quotes_grounded",
    "quotes_grounded_verbatim",
    "quotes_ungrounded",
    "quotes_ungrounded_verbatim",
    "reasons_dropped",
    "repeated_texts",
    "replaced",
    "rows_cut",
    "rows_gold_lost",
]
ROW_COUNTS: tuple[RowCount, ...] = get_args(RowCount)  # the keys of RowCounts, in the order of the file


class LengthTell(TypedDict):
    """Figures that show whether the length of a prompt in tokens reveals that its gold passages are missing."""

    auc: float  # probability that a row without gold is longer than one with it; ties count half; 0.5: no difference
    with_gold: int  # rows
    without_gold: int


class LengthFigures(TypedDict, total=False):
    """Statistics of the prompts' lengths in a split. A key that applies to no row of the split is absent."""

    length_tell: LengthTell  # of splits with both kinds of rows
    median_text_left: float  # of the cut rows: share of the passages' characters that the prompt shows


class SplitAudit(RowCounts, LengthFigures):
    """Figures of one split.

    `passages_with_gold` and `passages_without_gold` are histograms. A key is a number of passages, written as a
    string; its value is the number of rows with so many passages.
    """

    rows: int
    with_gold: int
    share_with_gold: float
    passages_with_gold: dict[str, int]  # rows with gold
    passages_without_gold: dict[str, int]  # rows without gold
    gold_places: dict[str, GoldPlace]  # place in the prompt, counted from 1
    prompt_tokens: Spread
    completion_tokens: Spread


class GoldRanks(TypedDict):
    """Retrieval quality measured by gold passages: means over the questions."""

    questions: int
    recall: dict[str, float]  # "1", "2", ... -> recall at 1, 2, ...
    mrr: float
    ndcg: float


class AnswerRanks(TypedDict):
    """Retrieval quality of questions without gold passages, measured by the passages that contain an answer."""

    questions: int
    answer_found: dict[str, float]  # "1", "2", ... -> share of questions with an answer in the first 1, 2, ... passages
    answer_mrr: float


class RankFigures(TypedDict):
    """The quality of the first k passages of a ranking (`raft_exp.dataset.retrieval_quality`)."""

    gold: NotRequired[GoldRanks]
    answers: NotRequired[AnswerRanks]


class RetrievalFigures(RankFigures):
    """The quality of a retriever's k best passages."""

    retriever: str
    k: int
    reranked: NotRequired[int]  # with retriever.rerank: the number of passages that the cross-encoder ordered again
    before_rerank: NotRequired[RankFigures]  # the k best passages of the retriever alone


class OverlapCounts(TypedDict):
    """How many questions, answers and passages of a held-out split also occur in the training data, compared by text.

    Some keys are missing for a ready chat file and in audits of earlier versions.
    """

    questions: int  # leaked: with equal words
    near_questions: NotRequired[int]  # leaked: nearly word for word, with the same answer
    questions_of_other_documents: NotRequired[int]  # equal words about other documents; no leaks
    answers: NotRequired[int]  # distinct answers
    passages: NotRequired[int]  # gold passages with equal words
    near_passages: NotRequired[int]  # gold passages of which training has a near copy
    gold_overlap: NotRequired[int]  # questions with a gold passage that one of the two lines above counts
    boilerplate_passages: NotRequired[int]  # gold passages that are too short or too frequent to be leaks


OverlapCount = Literal[
    "questions",
    "near_questions",
    "questions_of_other_documents",
    "answers",
    "passages",
    "near_passages",
    "gold_overlap",
    "boilerplate_passages",
]
OVERLAP_COUNTS: tuple[OverlapCount, ...] = get_args(OverlapCount)  # the keys of OverlapCounts


GoldPart = Literal["whole", "part", "none"]


# The reasons for which a row has no false passage (`dataset.conflicts`), in the order in which they are checked.
NO_FALSE_PASSAGE = {
    "label": "the answer is yes, no or maybe",
    "no_distractor": "the context has no distractor to replace",
    "in_question": "the question names the answer",
    "not_in_gold": "no gold passage of the context holds the answer letter for letter",
    "no_other_answer": "no other question has a false answer of the same type",
    "cut": "shortening removed the false answer",
}


class DatasetAudit(TypedDict, total=False):
    """The audit of one training set or test set; {} for a dataset without an audit."""

    splits: dict[str, SplitAudit]
    overlap: dict[str, OverlapCounts]  # test or validation -> what training shares with it
    passed_over: dict[str, int]  # distractors rejected, by reason
    fewer_distractors: dict[str, int]  # split -> rows with fewer distractors than configured
    refusals: dict[str, int]  # split -> rows that learn to refuse, with dataset.refuse_share
    # split -> rows with a false passage ("planted"), and rows chosen for one that cannot have it (NO_FALSE_PASSAGE)
    conflicts: dict[str, dict[str, int]]
    context: str  # of a test set: gold_and_distractors, retrieved or given; of a training set: retrieved or given
    # of a training set with such a context: split -> rows that show all gold of their question, a part of it, or none
    gold_in_context: dict[str, dict[GoldPart, int]]
    gold_found: dict[str, float]  # of a test set: all_gold (share of questions), recall (share of gold passages)
    retrieval: RetrievalFigures  # of a test set with retrieved contexts
    file: str  # of a ready chat file: its name
    max_length: int  # model.max_length, to which prompts were cut


class ReplyAudit(TypedDict):
    """Numbers of requests to a teacher model and of its usable replies."""

    asked: int  # items that were sent to the teacher
    kept: int  # items with a usable reply
    quarantined: int  # items without a usable reply
    asked_again: int  # items that needed more than one request
    reasons: dict[str, int]  # reason -> quarantined items
    splits: dict[str, dict[str, int]]  # split -> asked, kept, quarantined and asked_again of its items
    replies: NotRequired[int]  # all replies, also unusable ones
    prompt_tokens: NotRequired[int]  # of all requests
    new_tokens: NotRequired[int]  # of all replies
    cost: NotRequired[float]  # of all replies, if all prices are known
    dropped: NotRequired[dict[str, int]]  # written questions rejected one by one, by reason


class QuestionsAudit(TypedDict):
    """Counts of the questions that a teacher wrote from passages."""

    written: ReplyAudit
    questions: dict[str, int]  # by split
    checked: NotRequired[ReplyAudit]  # the second pass, which answers the questions from their passages


class GoldAudit(TypedDict):
    """Counts of questions whose file names no gold passages, by the way in which their gold was found.

    Audits of earlier versions lack some keys.
    """

    questions: int  # of the file
    by_answer: int  # questions with a passage of their document that contains an answer word for word
    closest: int  # questions without such a passage: the gold is the passage closest to question and answer
    by_search: NotRequired[int]  # questions without a document: a search found a passage that contains an answer
    guessed_by_search: NotRequired[int]  # of by_search: short answers, in a file not of FlashRAG's layout
    in_found_document: NotRequired[int]  # questions without a document: a search found the document of the gold
    left_out: NotRequired[int]  # questions without a document for which a search found no gold
    share_closest: float  # of the questions
    several: NotRequired[int]  # questions with their evidence in several passages
    share_several: NotRequired[float]
    beyond_closest: NotRequired[int]  # questions whose answer needs more passages than corpus.closest
    of_many: NotRequired[int]  # questions with several passages that contain the answer: the closest one is gold
    also_answering: NotRequired[int]  # the other passages that contain the answer: neither gold nor distractors


class IngestAudit(TypedDict):
    """Counts of a corpus that was read from document files. Audits of earlier versions lack some keys."""

    files: int
    read: int
    passages: int
    duplicates: int  # passages left out that have the same words as an earlier one
    near_duplicates: NotRequired[int]  # passages left out that nearly repeat an earlier one
    similar: NotRequired[int]  # passages that nearly repeat one of another document, kept for their own words
    reasons: dict[str, int]  # of files that were not read


class SplitChoice(TypedDict):
    """How the questions of a study were split, and how many test questions share gold or text with training."""

    by: Literal["document", "section", "question"]
    setting: Literal["auto", "document", "section", "question"]  # corpus.split
    drawn: bool  # splits were drawn at random; false: the file of questions gives the split of each question
    documents: int  # documents with questions
    units: int  # units of the split (documents, sections or passages) with questions
    test_questions: int
    of_trained_documents: int  # test questions whose gold is in a document with gold of a training question
    with_trained_gold: int  # test questions with a gold passage that is also gold of a training question
    # test questions and all questions, and corpus.test, if the share of test questions is far from it
    test_share: NotRequired[tuple[int, int, float]]
    beside_training: int  # test questions whose gold shares a sentence with a passage that training may show


class StudyAudit(TypedDict):
    """`audit.json` of a run folder."""

    datasets: dict[str, DatasetAudit]  # by name of the training set
    test: DatasetAudit
    gold_test: NotRequired[DatasetAudit]  # the test set with gold passages alone, of arms with `context: gold`
    conditions: NotRequired[dict[str, DatasetAudit]]  # the test sets of the conditions
    ingest: NotRequired[IngestAudit]
    split: NotRequired[SplitChoice]  # of the user's own documents
    gold: NotRequired[GoldAudit]  # of a file of questions without named gold passages
    records: NotRequired[dict[str, int]]  # of APIBench: numbers of documents, of calls, and of unusual lines by kind
    questions: NotRequired[QuestionsAudit]
    targets: NotRequired[ReplyAudit]
    references: NotRequired[ReplyAudit]  # the teacher's texts for the questions of the evaluation
