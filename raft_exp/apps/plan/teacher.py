"""The requests, tokens and cost of a study's teacher, and the requests to a server that answers the test."""

from collections.abc import Sequence
from itertools import islice

from raft_exp.apps.plan.figures import Basis, Figure, LeftOut, Unit
from raft_exp.apps.plan.study import PlannedStudy
from raft_exp.core.collection import Passages
from raft_exp.core.stage import Stage
from raft_exp.tasks.budget import words_of
from raft_exp.tasks.model import cleaner
from raft_exp.tasks.task import Prompts, Task
from raft_exp.teachers.model import ModelTeacher, OpenaiTeacher, is_model
from raft_exp.teachers.target_questions import target_questions

_SAMPLE = 200  # questions or passages whose prompts are written to count their tokens


def requests(study: PlannedStudy, left: LeftOut) -> list[Figure]:
    """Returns the requests to the teacher with their tokens and cost, and the requests of `engine=openai`.

    `left`: receives a line for each figure that cannot be computed.
    """
    teacher = study.config.teacher
    figures = [_server(study)] if study.config.engine.name == "openai" else []
    if not is_model(teacher):
        return [_figure("requests", 0, "requests", "counted", f"teacher={teacher.name} uses no model"), *figures]
    if isinstance(teacher, OpenaiTeacher) and teacher.prices is None:
        left.say("cost: no price is set; give teacher.prices={prompt: ..., reply: ...} per million tokens")
    written = study.labelled("questions")
    if written is not None and hasattr(written.config, "teacher"):  # the corpus has none: the teacher writes them
        figures = [*_questions(study, teacher, written, left), *figures]
    references = _targets(study, teacher, left, study.config.evaluation.split)
    return [*_targets(study, teacher, left), *references, *figures]


def _targets(study: PlannedStudy, teacher: ModelTeacher, left: LeftOut, split: str = "") -> list[Figure]:
    """Returns the requests for targets of training and validation questions; with `split`, of its test questions."""
    stage, task = study.labelled(f"targets[{split}]" if split else "targets"), teacher.targets
    if stage is None or task is None:
        return []
    what = f"targets of {split} questions" if split else "targets"
    if study.store.look(stage).status == "reused":
        return [_figure(f"requests for {what}", 0, "requests", "counted", "the targets are in the store")]
    questions = stage.inputs["questions"]
    assert isinstance(questions, Stage)
    counts, each = study.expected.sizes.questions(questions), f"{split or 'training and validation'} question"
    if counts is None:
        left.say(
            f"requests for {what}: one for each {each}; their number is unknown; run the study with until=questions "
            "first"
        )
        return []
    number = sum(int(counts.get(name, 0)) for name in ([split] if split else ["train", "validation"]))
    most = study.config.evaluation.max_items if split else None
    number = number if most is None else min(number, most)
    source = f"one for each {each}; replies in the ledger are not paid again"
    if task.retries:
        source += f"; up to {task.retries} more for an unusable reply"
    tokens = _prompt_tokens(study, teacher, stage)
    figures = [_figure(f"requests for {what}", number, "requests", "counted", source)]
    return [*figures, *_cost(what, number, tokens, task, teacher)]


def _questions(study: PlannedStudy, teacher: ModelTeacher, stage: Stage, left: LeftOut) -> list[Figure]:
    """Returns the number of requests that write questions (one per passage), and of those that check them."""
    if study.store.look(stage).status == "reused":
        return [_figure("requests for questions", 0, "requests", "counted", "the questions are in the store")]
    ingest, task = study.labelled("ingest"), teacher.questions
    if task is None or ingest is None or study.store.look(ingest).status != "reused":
        left.say(
            "requests for questions: one per passage; their number is unknown; run the study with until=ingest first"
        )
        return []
    from raft_exp.teachers.passage_sample import PassageSample

    passages = Passages(study.store.obtain(ingest))
    sample = PassageSample(passages, study.config.corpus, task, study.config.seed)
    number, written = len(sample), Prompts(task, cleaner(teacher))
    asked = (group for group, _ in sample) if task.pairs else ([passage] for passage in passages)
    tokens = _mean([words_of(written.messages(group, [], n=task.n)) for group in islice(asked, _SAMPLE)])
    what = "pairs of passages that share a rare name" if task.pairs else "passages that are long enough"
    figures = [_figure("requests for questions", number, "requests", "counted", what)]
    figures += _cost("questions", number, tokens, task, teacher)
    if teacher.check:
        each, of = (3 * task.n, "pair") if task.pairs else (task.n, "passage")  # both passages, and each alone
        checks = _figure("requests to check them", number * each, "requests", "estimated", f"{each} a {of}")
        figures.append({**checks, "at_most": True})
    return figures


def _prompt_tokens(study: PlannedStudy, teacher: ModelTeacher, targets: Stage) -> float | None:
    """Returns the mean tokens of the prompts for targets; None if questions or passages are not in the store.

    A token counts as four bytes.
    """
    inputs = [targets.inputs["passages"], targets.inputs["questions"]]
    stages = [stage for stage in inputs if isinstance(stage, Stage)]
    if teacher.targets is None or any(study.store.look(stage).status != "reused" for stage in stages):
        return None
    passages, prompts = Passages(study.store.obtain(stages[0])), Prompts(teacher.targets, cleaner(teacher))
    sizes = []
    for question in islice(target_questions(study.store.obtain(stages[1]), targets.config.evaluated), _SAMPLE):
        gold = [passages[passages.find(name)] for name in question.gold]
        shown = {"question": question.question, "answer": next(iter(question.answers), ""), "answers": question.answers}
        sizes.append(words_of(prompts.messages(gold, [], **shown, explanation=question.explanation)))
    return _mean(sizes)


def _cost(what: str, number: int, prompt: float | None, task: Task, teacher: ModelTeacher) -> list[Figure]:
    """Returns the tokens of prompts and replies, and their cost if the teacher has prices.

    `number`: requests. `prompt`: mean tokens of a prompt, None if unknown.
    """
    new = number * task.max_new_tokens
    source = f"replies of at most {task.max_new_tokens} tokens"
    replies: Figure = {**_figure(f"reply tokens for {what}", new, "tokens", "estimated", source), "at_most": True}
    if prompt is None:
        source = "unknown before the questions are in the store (until=questions)"
        return [_figure(f"prompt tokens for {what}", None, "tokens", "estimated", source), replies]
    read = number * prompt
    source = f"{prompt:,.0f} a prompt, four bytes each, over at most {_SAMPLE} prompts"
    figures = [_figure(f"prompt tokens for {what}", read, "tokens", "estimated", source), replies]
    if isinstance(teacher, OpenaiTeacher) and teacher.prices:
        least, replied = read * teacher.prices.prompt / 1e6, new * teacher.prices.reply / 1e6
        source = f"{least:.4g} for prompts alone"
        cost = _figure(f"cost of {what}", least + replied, "of the prices' currency", "estimated", source)
        figures.append({**cost, "at_most": True})
    return figures


def _server(study: PlannedStudy) -> Figure:
    """Returns the number of requests to the server of engine=openai, for the arms without stored replies."""
    asked = [stage for stage in study.missing("evaluate") if stage.config.engine.name == "openai"]
    rows = [study.expected.items(stage) for stage in asked]
    what, number = "requests of engine=openai", sum(row or 0 for row in rows)
    if None in rows:
        return _figure(what, None, "requests", "counted", "unknown before the questions are made (until=questions)")
    return _figure(what, number, "requests", "counted", f"{len(asked)} evaluations; no price is set for an engine")


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _figure(what: str, value: float | None, unit: Unit, basis: Basis, source: str) -> Figure:
    return {"what": what, "value": value, "unit": unit, "basis": basis, "source": source}
