"""Questions about a stored model are answered at once: nothing heavy is imported for them."""

import shutil
import subprocess
import sys
from pathlib import Path

HEAVY = {"networkx", "narwhals", "pandas", "pyarrow", "pydantic", "scipy", "sklearn", "torch"}
QUESTIONS = """
import sys
from pathlib import Path

from locality.model.summary import summarize
from locality.store.difference import diff_versions
from locality.store.garbage import collect_garbage
from locality.store.store import load_model, read_manifest
from locality.store.versions import list_versions, rollback, set_alias

folder = Path(sys.argv[1])
read_manifest(folder)
list_versions(folder)
set_alias(folder, "autumn", 1)
rollback(folder, "autumn")
diff_versions(folder, 1, "autumn")
collect_garbage(folder)
assert summarize(load_model(folder)).n_networks == 1
print(*{name.partition(".")[0] for name in sys.modules})
"""


def test_nothing_heavy_is_imported_to_ask_a_stored_model(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(Path(__file__).parent / "samples" / "table" / "model", folder)
    command = [sys.executable, "-c", QUESTIONS, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "numpy" in loaded
    assert not loaded & HEAVY
