"""The quickstart notebook runs from top to bottom."""

import nbclient
import nbformat
import pytest


@pytest.mark.timeout(600)
def test_quickstart_runs(repo, tmp_path):
    notebook = nbformat.read(repo / "docs" / "quickstart.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [cell.outputs[-1] for cell in notebook.cells if cell.get("outputs")]
    assert outputs[-1]["data"]["text/plain"] == "TensorShape([4, 28, 28, 1])"
    assert any(output.get("data", {}).get("text/plain") == "True" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
