"""Checks that the datasets of a study can be built, before a teacher is paid for questions and targets.

The checks apply the rules of the datasets: number of distractors, splits, overlap with training, and length of prompts.
After a passed check no dataset fails because of missing passages, unless the teacher skips questions.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import read_ids
from raft_exp.core.sampling import HashSample
from raft_exp.corpora import CorpusConfig, pools
from raft_exp.corpora.questions_stage import QuestionsStage
from raft_exp.corpora.questions_stage import questions as write_questions
from raft_exp.corpora.split_units import split_passages
from raft_exp.dataset.conflicts import Conflicts
from raft_exp.dataset.overlap import check_overlap
from raft_exp.dataset.pool_remedies import Write, corpus_remedies
from raft_exp.dataset.recipes import QuestionTargets, published
from raft_exp.dataset.rows import RowSpec
from raft_exp.dataset.testing_stage import TestStage, context_chooser, size_setting, test_row_format, test_sample
from raft_exp.dataset.training_stage import ClosedBookStage, RaftStage, raft_recipe, training_rankers
from raft_exp.dataset.window_check import TooLong, longest, refuse
from raft_exp.dataset.writing import sampled
from raft_exp.retrieval import Shares, source_names

Demand = RaftStage | ClosedBookStage | TestStage  # the settings of a data set


def check_questions(
    demands: Sequence[Demand],
    given: QuestionsStage | None,
    *,
    passages: Path,
    questions: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    vectors: Path | None = None,
) -> None:
    """Checks the questions of a study. `demands`: the settings of its datasets.

    `passages`, `questions`, `embedded`, `indexed`: the inputs of the stages `dataset`. `given`: the settings of
    questions from a file; None for other questions. `vectors`: the folder with the vectors of the passages, if the
    settings `given` need these vectors. Raises DataError if a data set cannot be built: a question
    has too few distractors or no published context, a test set has no questions, training contains held-out questions,
    no question can have a false passage, or a prompt is too long for the model and `allow_cut` is false.
    """

    def check(cut: Path, split: Path) -> None:
        if cut == passages:
            _check(demands, cut, split, embedded, indexed)
        else:  # there is no index of passages that are cut anew
            _check_by_count(demands, cut, split, _rows(split))

    def write(corpus: CorpusConfig, cut: Path, out: Path) -> None:
        assert given is not None
        settings = replace(given, corpus=corpus, encoder=given.encoder if cut == passages else None)
        optional = {"embedded": vectors} if vectors and settings.encoder else {}
        write_questions(settings, passages=cut, out=out, **optional)

    try:
        check(passages, questions)
    except DataError as error:
        if given is None or not error.remedies:
            raise
        more = corpus_remedies(given.corpus, passages, questions, write, check)
        raise error.with_remedies([*more]) from None


def check_passages(
    demands: Sequence[Demand], corpus: CorpusConfig, write: Write, questions_each: int, *, passages: Path
) -> None:
    """Checks passages before a teacher writes questions about them. Each passage counts as the only gold of a question.

    `write`: writes such questions, without text, into a folder. `questions_each`: how many questions the teacher writes
    per passage. Raises DataError if such a question would have too few distractors, or a split would have no questions.
    Checks that need the answers are left to `check_questions`.
    """

    def check(cut: Path, split: Path) -> None:
        _check_by_count(demands, cut, split, _rows(split) * questions_each)

    with TemporaryDirectory() as name:
        write(corpus, passages, Path(name))
        try:
            check(passages, Path(name))
        except DataError as error:
            if not error.remedies:
                raise
            more = corpus_remedies(corpus, passages, Path(name), write, check)
            raise error.with_remedies([*more]) from None


def _rows(questions: Path) -> int:
    return sum(1 for _ in read_ids(questions / "questions.jsonl"))


def _check_by_count(demands: Sequence[Demand], passages: Path, questions: Path, rows: int) -> None:
    """Checks only the numbers of distractors, for `rows` questions. Searches and samples are ignored."""
    by_count = [_by_count(demand, rows) for demand in demands if not isinstance(demand, ClosedBookStage)]
    _check([demand for demand in by_count if demand], passages, questions, ids_are_final=False)


def _check(
    demands: Sequence[Demand],
    passages: Path,
    questions: Path,
    embedded: Mapping[str, Path] | None = None,
    indexed: Path | None = None,
    ids_are_final: bool = True,
) -> None:
    """Checks each data set. Raises DataError for the first fault.

    `ids_are_final`: whether the questions have their final ids, by which numbers of a range of distractors are drawn.
    """
    source, collection = QuestionTargets(questions, None), split_passages(passages, questions)
    limits = [_limits(demand) for demand in demands if not isinstance(demand, TestStage)]
    for allowed, most in dict.fromkeys(limits):
        check_overlap(source, collection, allowed, most)
    too_long, window = list[TooLong](), 0
    for demand in map(_without_search, demands):
        if isinstance(demand, RaftStage):
            _check_training(demand, source, collection, embedded, indexed, ids_are_final)
        if isinstance(demand, TestStage):
            specs = _test_specs(demand, source, collection, embedded, indexed)
            if demand.allow_cut:
                deque(specs, maxlen=0)  # a context that cannot be made raises an error
            else:
                window, place = demand.window.max_length, (size_setting(demand), demand.names.condition)
                too_long += longest(test_row_format(demand), passages, specs, *place, least=not ids_are_final)
    refuse(too_long, window)


def _by_count(demand: RaftStage | TestStage, rows: int) -> RaftStage | TestStage | None:
    """Returns a demand for `rows` questions without text, with distractors in any order and no sampling.

    Returns None if the contexts may have any number of distractors.
    """
    if isinstance(demand, TestStage):
        if demand.context == "gold_and_distractors" and demand.distractors == "given":
            return None
        return replace(demand, distractors="random", mixed=None, max_items=None, conflict=False)
    settings = demand.dataset
    if settings.distractors == "given" or not settings.chooses_gold:
        return None
    all_with_gold = round(settings.p * rows) == rows or not settings.constant_size
    dataset = replace(
        settings,
        p=1.0 if all_with_gold else 0.0,
        distractors="random",
        mixed=None,
        max_score=None,
        relative_margin=None,
        max_items=None,
        allow_overlap=True,
        refuse_share=0.0,
        conflict_share=0.0,
    )
    return replace(demand, dataset=dataset)


def _without_search(demand: Demand) -> Demand:
    """Returns a demand with random distractors in place of a search, if the check has the same outcome.

    The order in which the passages of a pool are ranked does not change how many of them the rules for distractors
    accept. A random order saves the search, which takes seconds for each question of a large collection.
    """
    if isinstance(demand, TestStage):
        counts = demand.context == "gold_and_distractors" and demand.allow_cut and not demand.conflict
        if counts and _ranks_whole_pool(demand.distractors, demand.mixed):
            return replace(demand, distractors="random", mixed=None)
    elif isinstance(demand, RaftStage):
        data = demand.dataset
        counts = data.chooses_gold and data.max_score is None and data.relative_margin is None
        if counts and _ranks_whole_pool(data.distractors, data.mixed):
            return replace(demand, dataset=replace(data, distractors="random", mixed=None))
    return demand


def _ranks_whole_pool(distractors: str, shares: Shares | None) -> bool:
    return source_names(distractors, shares) != {"given"}


def _limits(demand: RaftStage | ClosedBookStage) -> tuple[bool, float | None]:
    settings = demand.dataset if isinstance(demand, RaftStage) else demand
    return settings.allow_overlap, settings.max_gold_overlap


def _check_training(
    config: RaftStage,
    source: QuestionTargets,
    collection: Passages,
    embedded: Mapping[str, Path] | None,
    indexed: Path | None,
    ids_are_final: bool,
) -> None:
    settings, rankers = config.dataset, training_rankers(config, collection, embedded, indexed)
    sample = source.sample("train", settings.max_items, config.seed)
    if settings.context == "given":
        _check_published(source, sample, collection)
    if not settings.chooses_gold:  # a retrieved context may have fewer passages than k
        return
    pool = pools.pool(pools.document_splits(collection, source.all_questions()), "train")
    rank = rankers.ranker(settings.distractors, settings.mixed, pool, lambda: sampled(source, "train", sample))
    supply = raft_recipe(config).supply(source, "train", sample, rankers.distractor_filter, rank, len(pool))
    if not ids_are_final:
        supply = replace(supply, seed=None)
    if not supply.allow_fewer:
        for question in sampled(source, "train", sample):
            supply(question)


def _check_published(source: QuestionTargets, sample: HashSample, collection: Passages) -> None:
    """Raises DataError if a training or validation question was published without a context."""
    choose = published(collection, "dataset.context")
    for question in (*sampled(source, "train", sample), *source.of("validation")):
        choose(question)


def _test_specs(
    config: TestStage,
    source: QuestionTargets,
    collection: Passages,
    embedded: Mapping[str, Path] | None,
    indexed: Path | None,
) -> Iterator[RowSpec]:
    """Yields the rows of a test set; none for retrieved contexts, which may have fewer passages than k."""
    sample = test_sample(config, source)
    if config.context == "retrieved":
        return
    choose = context_chooser(config, source, sample, collection, embedded, indexed)
    specs = (RowSpec(question, choose(question), None) for question in sampled(source, config.split, sample))
    if config.conflict:
        conflicts = Conflicts(collection, lambda: source.of(config.split), config.seed)
        yield from conflicts.alone(specs)
        conflicts.check(config.names.condition)
    else:
        yield from specs
