"""Names of metrics, figures and p-values as readers see them."""

from raft_exp.evaluation.results import Figure
from raft_exp.reporting.paths import is_machine_path, last_name

_TITLES = {"bleu": "BLEU", "rouge_1": "ROUGE-1", "rouge_2": "ROUGE-2", "rouge_l": "ROUGE-L", "chrf": "chrF"}


def title(metric: str) -> str:
    """Returns a metric's name for readers, such as `exact match (lenient)`."""
    name = _TITLES.get(metric) or metric.replace("_", " ").replace("f1", "F1").replace(" em", " EM")
    return f"{name.removesuffix(' lenient')} (lenient)" if name.endswith(" lenient") else name


def model_name(name: str) -> str:
    """Returns a model's name for readers: a hub id, the last part of a path, or e.g. `pocket (embedded)`."""
    if name.startswith("asset:"):
        return f"{name.removeprefix('asset:')} (embedded)"
    is_folder = is_machine_path(name) or "\\" in name or name.count("/") > 1
    return last_name(name) if is_folder else name


_SLICES = {  # slice -> heading, and the heading of its column
    "answer": ("Is the answer also an answer in training?", "answer in training"),
    "document": ("Is the gold document also a gold document in training?", "gold document in training"),
    "gold": ("How was the gold passage found?", "gold passage"),
}


def slice_name(name: str) -> str:
    """Returns the name of a slice for readers. A slice groups the test questions by kind."""
    return _SLICES[name][1] if name in _SLICES else name.replace("_", " ")


def slice_heading(name: str) -> str:
    """Returns the heading above the table of a slice."""
    return _SLICES[name][0] if name in _SLICES else f"By {slice_name(name)}"


def percent(share: float) -> str:
    """Formats a share (0 to 1) in percent with one decimal, without the percent sign."""
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    """Formats a difference of shares in percentage points, with plus or minus sign."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def p_text(p_value: float) -> str:
    """Formats a p-value with three decimals, such as "p = 0.042"; values below 0.001 as "p < 0.001"."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def figure_text(figure: Figure | None) -> str:
    """Formats a figure in percent with its interval, such as `69.1 (66.0-72.0)`; "" for None."""
    if not figure:
        return ""
    return f"{percent(figure['value'])} ({percent(figure['low'])}-{percent(figure['high'])})"
