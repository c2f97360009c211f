"""docs/notebooks/first_look.ipynb: each cell runs, on the planted model in place of a downloaded one, and it is kept without outputs."""
import ast
import json

import pytest
from air_runner import GSM8K, REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "notebooks" / "first_look.ipynb"


@pytest.fixture(scope="module")
def cells():
    return [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def run(source, names):
    """Runs a cell. Returns the value of its last line, where that is an expression, as a notebook shows it."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, NOTEBOOK.name, "exec"), names)
    return None if last is None else eval(compile(last, NOTEBOOK.name, "eval"), names)


def test_every_cell_runs_and_shows_what_it_says(cells, model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, []
    for cell in cells:
        value = run("".join(cell["source"]), names)
        shown.append((capsys.readouterr().out, value))
        if "parameters" in cell["metadata"].get("tags", []):
            assert (NOTEBOOK.parent / names["traces"]).resolve() == GSM8K
            names.update(model=model, traces=GSM8K)
    _, (heads, _), (table, _), (steps, _), (_, kept), (_, page) = shown
    assert "1-5" in heads
    assert [line.split()[0] for line in table.splitlines()] == [str(rank) for rank in range(1, 11)]
    best = names["scored"][0]
    assert len(steps.split("influence  weight  step\n")[1].splitlines()) == best["air"]["num_steps"]
    assert kept == [record["id"] for record in names["scored"] if record["air"]["repetition"] < 4.5][:3]
    assert page == "report.html" and "A first look" in (tmp_path / page).read_text()


def test_it_is_kept_without_outputs(cells):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
