"""What the documents promise is there: commands, files, code that compiles, and the line CI runs."""

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from bmi.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
COMMANDS = typer.main.get_command(app).commands


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(
    "line",
    [
        "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/bmi demo",
        'python3 -m venv .venv && .venv/bin/pip install -e ".[test]" && .venv/bin/pytest',
    ],
)
def test_both_ways_to_begin_stand_on_a_line_of_their_own(line):
    assert README.splitlines().count(line) == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("code", blocks("python"))
def test_python_in_the_readme_compiles_and_imports_what_there_is(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module in {"bmi", "bmi.testing"}:
            module = importlib.import_module(node.module)
            assert not [a.name for a in node.names if not hasattr(module, a.name)]


def used() -> set[tuple[str, str]]:
    """Every (command, options) that a document shows in a shell or in code."""
    shown = set()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for name, rest in re.findall(r"(?:^|[`/ ])bmi ([a-z]+)((?: [^`\n#|]*)?)", text, re.MULTILINE):
            shown.add((name, rest.strip()))
    return {(name, rest) for name, rest in shown if name in COMMANDS or rest.startswith("-")}


def test_every_command_shown_exists_with_every_option_shown():
    assert len(used()) >= 11
    wrong = []
    for name, rest in used():
        command = COMMANDS.get(name)
        if isinstance(command, typer.core.TyperGroup):  # `bmi sim validate`: the options are those of the second word
            command = command.commands.get(rest.split()[0].rstrip(",")) if rest else None
        known = {o for p in command.params for o in p.opts} | {"--help"} if command else set()
        wrong += [f"bmi {name} {o}" for o in re.findall(r"--[a-z-]+", rest) if o not in known]
    assert not wrong


def test_every_command_is_in_the_readme():
    assert not [name for name in COMMANDS if f"`bmi {name}" not in README]


# --- .ci/run ------------------------------------------------------------------------------------------


PYTHON = """\
#!/bin/sh
[ "$1" = -c ] && exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\ncat "$PIP_CONSTRAINT"\\n' > .venv/bin/pip
printf '#!/bin/sh\\necho "%s"\\nexit %s\\n' > .venv/bin/pytest
chmod +x .venv/bin/*
"""
"""Stands in for python3: makes a pip that shows its constraints and a pytest that ends as told."""


def ci(folder: Path, exit_code: int, closing: str) -> subprocess.CompletedProcess[str]:
    """Run ``.ci/run`` on the README's own line in a copy of the two, without installing anything."""
    for name in ("README.md", ".ci/run", "bin/python3"):
        (folder / name).parent.mkdir(exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    python = folder / "bin" / "python3"
    python.write_text(PYTHON % (closing, exit_code))
    python.chmod(0o755)
    env = {**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    return subprocess.run([folder / ".ci" / "run"], env=env, capture_output=True, text=True)


@pytest.mark.parametrize(("code", "closing"), [(0, "12 passed in 3.4s"), (1, "1 failed, 11 passed in 3.4s")])
def test_ci_runs_the_readmes_line_and_passes_its_exit_code_on(tmp_path, code, closing):
    done = ci(tmp_path, code, closing)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[-1] == f"pytest: {closing}"
    assert "torch==" in done.stdout  # pip saw the constraint


def test_the_notebook_of_the_readme_decodes():
    (code,) = [b for b in blocks("python") if "sim.world" in b]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 0.7 < float(done.stdout) < 1.0, "correlation of decoded and intended velocity"
