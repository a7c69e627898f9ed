"""The notebook of the quickstart, executed whole with the study in its short form."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"
SHORT = ["+debug=short", "corpus.num_entities=400", "model.max_new_tokens=32", "trainer.threads=1"]


def test_the_notebook_shows_what_it_was_run_with():
    notebook = nbformat.read(NOTEBOOK, 4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "execute it whole, in order"
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, 4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert first.source.startswith("settings: list[str] = []")
    first.source = f"settings = {SHORT}"
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "training rows have their gold" in shown
    assert (tmp_path / "runs" / "notebook" / "report.html").exists()
