"""paper.html, the page of the whole paper, and paper.json with the figures of its tables and curves."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from raft_exp.reporting.formats import model_name
from raft_exp.reporting.paper import figures, tables
from raft_exp.reporting.paper.parts import PaperPart
from raft_exp.reporting.published import paper
from raft_exp.reporting.render import write

PAGE, FIGURES = "paper.html", "paper.json"


def write_paper(out: Path, parts: Sequence[PaperPart]) -> Path:
    """Writes the page and its figures into `out`; returns the path of the page.

    The page shows dashes for parts without runs.
    """
    from markupsafe import Markup

    main, by_p, by_d = ([part for part in parts if part.study == name] for name in ("table1", "p_sweep", "distractors"))
    figure5, figure6 = figures.figure5(by_p), figures.figure6(by_d)
    view = {
        "study": "The RAFT paper: published figures and ours",
        "models": _names(model_name(run.results["model"]) for part in parts for run in part.runs),
        "seeds": _names(run.seed for part in parts for run in part.runs),
        "paper": {name: paper()[name] for name in ("source", "model", "caution")},
        "missing": [*tables.missing(parts)],
        "columns": tables.columns(main),
        "table1": tables.table1(main),
        "table2": tables.table2(main),
        "figure5": [{**one, "svg": Markup(one["svg"])} for one in figure5],  # safe: matplotlib escapes all text
        "figure6": [{**one, "svg": Markup(one["svg"])} for one in figure6],
        "runs": [
            (f"{part.study}, {part.name}", ", ".join(run.name for run in part.runs)) for part in parts if part.runs
        ],
    }
    out.mkdir(parents=True, exist_ok=True)
    write(out / PAGE, f"{PAGE}.j2", view)
    shown = {name: view[name] for name in ("missing", "columns", "table1", "table2")}
    curves = {
        name: [{key: value for key, value in one.items() if key != "svg"} for one in of]
        for name, of in (("figure5", figure5), ("figure6", figure6))
    }
    (out / FIGURES).write_text(json.dumps({**shown, **curves}, indent=2) + "\n", encoding="utf-8")
    return out / PAGE


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
