"""The pages of the documentation: where they are, and how to run what they tell a reader to run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TUTORIAL = ROOT / "docs" / "tutorial.md"
OWN_NETWORKS = ROOT / "docs" / "own_networks.md"
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "results"

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in that language."""
    return [code for found, code in BLOCK.findall(page.read_text()) if found == language]


def commands(page: Path) -> list[str]:
    """Every ``spec2`` command line in the code blocks of a page."""
    lines = [
        shlex.join(shlex.split(line, comments=True)) for line in "".join(blocks(page, "sh")).splitlines()
    ]
    return [line for line in lines if line.startswith("spec2 ")]


def environment() -> dict[str, str]:
    """Of commands: with this interpreter, from this tree, with the digits that come with a package."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        "OMP_NUM_THREADS": "1",  # threads of one training that share a core with another test wait for it
    }
    env.pop("SPEC2_DATA_DIR", None)
    return env


def run_blocks(text: str, folder: Path) -> str:
    """Run the code blocks of a document in ``folder``, as a reader would; returns what they print.

    Blanks and line ends come back as single blanks: where a terminal breaks its lines is not promised.
    """
    # The command as installed, but from this tree.
    prelude = f'set -euo pipefail\nspec2() {{ {shlex.quote(sys.executable)} {ROOT / "spec2.py"} "$@"; }}\n'
    out = ""
    for language, code in BLOCK.findall(text):
        command = [sys.executable, "-c", code] if language == "python" else ["bash", "-c", prelude + code]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        out += done.stdout
    return " ".join(out.split())
