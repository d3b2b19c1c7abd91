"""docs/tour.ipynb: short, stored with its pictures, and it runs."""

import os

import pytest
from conftest import ROOT

TOUR = os.path.join(ROOT, "docs", "tour.ipynb")
nbformat = pytest.importorskip("nbformat")


def code_cells(tour):
    return [cell for cell in tour.cells if cell.cell_type == "code"]


def test_it_can_be_read_without_running():
    tour = nbformat.read(TOUR, as_version=4)
    nbformat.validate(tour)
    assert len(tour.cells) <= 15 and os.path.getsize(TOUR) < 1e6
    assert [cell.execution_count for cell in code_cells(tour)] == list(range(1, len(code_cells(tour)) + 1))
    outputs = [output for cell in code_cells(tour) for output in cell.outputs]
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)
    pictures = [cell for cell in code_cells(tour)[1:] if any("image/" in str(output) for output in cell.outputs)]
    assert len(pictures) == len(code_cells(tour)) - 1


@pytest.mark.soak
def test_it_runs_from_start_to_end():
    nbclient = pytest.importorskip("nbclient")
    tour = nbformat.read(TOUR, as_version=4)
    for cell in code_cells(tour):
        cell.outputs = []
    folder = {"metadata": {"path": os.path.join(ROOT, "docs")}}
    nbclient.NotebookClient(
        tour, timeout=300, kernel_name="python3", resources=folder
    ).execute()  # raises what a cell raises
    assert all(cell.outputs for cell in code_cells(tour))
