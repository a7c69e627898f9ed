"""Names of metrics, figures and p-values as readers see them."""

from raft_exp.evaluation.results import Figure
from raft_exp.reporting.paths import is_machine_path, last_name


def title(metric: str) -> str:
    """A metric's name for readers."""
    name = metric.replace("_", " ").replace("f1", "F1").replace(" em", " EM").replace("rouge l", "ROUGE-L")
    return f"{name.removesuffix(' lenient')} (lenient)" if name.endswith(" lenient") else name


def model_name(name: str) -> str:
    """A model's name for readers: of a folder its last part, of an embedded model its name with a remark."""
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
    """The name of a slice for readers: of what kind a question is."""
    return _SLICES[name][1] if name in _SLICES else name.replace("_", " ")


def slice_heading(name: str) -> str:
    """The heading of a table of a slice."""
    return _SLICES[name][0] if name in _SLICES else f"By {slice_name(name)}"


def percent(share: float) -> str:
    """A share in percent to one decimal, without the sign."""
    return f"{100 * share:.1f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "\N{MINUS SIGN}")


def p_text(p_value: float) -> str:
    """A p-value to three decimals; below 0.001 the bound alone, "p < 0.001"."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def figure_text(figure: Figure | None) -> str:
    """A figure in percent with its interval, such as `69.1 (66.0-72.0)`."""
    if not figure:
        return ""
    return f"{percent(figure['value'])} ({percent(figure['low'])}-{percent(figure['high'])})"
