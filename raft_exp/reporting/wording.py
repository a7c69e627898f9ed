"""The texts that metrics of wording compare (`evaluation.reference`): their entry in results.json, as sentences too."""

from collections.abc import Iterator, Mapping, Sequence

from raft_exp.core import scripts
from raft_exp.core.records import Example
from raft_exp.evaluation.metrics import METRICS, Profile
from raft_exp.evaluation.metrics.overlap import signature
from raft_exp.evaluation.results import Results, Wording
from raft_exp.reporting.formats import title

_MISSING = 0.05  # share of questions without a text, above which the report warns
_BY_SPACES = ("13a", "intl")  # tokenizers that need spaces between words
_TEXTS = {
    "answers": "the prediction of a reply with the answers",
    "long_answer": "a reply with the long answer of the data set",
    "target": "a reply with the text that the teacher wrote for the question, which no training used",
}


def wording(profile: Profile, examples: Sequence[Example], references: Mapping[str, str]) -> Wording | None:
    """Returns the entry `wording` of results.json; None for a study without BLEU and without long references.

    `references`: question id -> its long reference.
    """
    has_bleu = "bleu" in profile.metrics
    if profile.reference == "answers" and not has_bleu:
        return None
    if profile.reference == "answers":
        texts = [example.answers[0] for example in examples]
    else:
        texts = [references[example.id] for example in examples if example.id in references]
    found: Wording = {
        "reference": profile.reference,
        "questions": len(texts),
        "missing": len(examples) - len(texts),
        "unspaced": sum(map(scripts.has_unspaced, texts)),
        "tokenizer": profile.tokenizer,
    }
    if has_bleu:
        found["bleu"] = signature(profile.tokenizer)
    return found


def wording_line(results: Results) -> str:
    """Returns sentences about the texts that metrics of wording compare; "" without the entry `wording`."""
    compared = results.get("wording")
    if compared is None:
        return ""
    names = [title(name) for name in results["metrics"] if METRICS[name].of_wording]
    parts = [f"{', '.join(names)}: they compare {_TEXTS[compared['reference']]}{_left_out(results, compared)}."]
    if compared["reference"] != "answers":
        text = "reasoning, without the label and" if results["baselines"] else "reasoning and its answer, without"
        parts.append(f"The text of a reply is its {text} the markers.")
    if "bleu" in compared:
        parts.append(f"BLEU is sacrebleu's for the whole test ({compared['bleu']}).")
    return " ".join(parts)


def wording_warnings(results: Results) -> Iterator[str]:
    """Warns of many questions without a text to compare with, and of words that BLEU cannot tell apart."""
    compared = results.get("wording")
    if compared is None:
        return
    number = compared["questions"] + compared["missing"]
    if compared["missing"] > _MISSING * number:
        yield (
            f"{compared['missing']:,} of {number:,} test questions have no long reference "
            f"(evaluation.reference={compared['reference']}): the metrics of wording leave them out. Add the missing "
            "texts, or use another reference."
        )
    if "bleu" in compared and compared["unspaced"] > _MISSING * number and compared["tokenizer"] in _BY_SPACES:
        yield (
            f"BLEU splits texts at spaces, but {compared['unspaced']:,} of {number:,} reference texts are in a script "
            "that writes none between words: set evaluation.bleu_tokenizer=zh, ja-mecab, ko-mecab or char. No reply is "
            "generated again."
        )


def _left_out(results: Results, compared: Wording) -> str:
    if not compared["missing"]:
        return ""
    number = compared["questions"] + compared["missing"]
    return f" ({compared['questions']:,} of {number:,} questions have one; the others are left out here)"
