"""The house rules, held by machine: who imports whom, where what may stand, and how long a file may be.

A rule that is only written down is broken within a month. Each test names the offending file and line.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("bmi", "decoders", "devices", "sim")
SOURCES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CHECKERS = (("mypy", "--no-error-summary"), ("lint-imports", "--no-cache"), ("ruff", "check", "--no-cache", "."))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), name(path))


def imported(module: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield (top-level package, line) of every import, wherever it stands."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0], node.lineno


@cache
def imports(path: Path) -> list[tuple[str, int]]:
    """Return what a file imports anywhere."""
    return list(imported(tree(path)))


@cache
def imports_at_once(path: Path) -> list[tuple[str, int]]:
    """Return what a file imports when it is imported: nothing in functions, or for the type checker only."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node):
            return None

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_If(self, node):
            if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
                return None
            return self.generic_visit(node)

    return list(imported(Strip().visit(tree(path))))


def test_the_files_are_found():
    assert len(SOURCES) > 30
    assert all((ROOT / package / "__init__.py").exists() for package in PACKAGES)


# --- the machines ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", CHECKERS, ids=lambda command: command[0])
def test_the_checkers_are_content(command):
    tool = Path(sys.executable).with_name(command[0])
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


# --- who may import what ----------------------------------------------------------------------------


def kernel(path: Path) -> bool:
    return path.name.startswith("_") and path.name.endswith("_kernels.py")


PLACES = {
    "numba": ("in _*_kernels.py", kernel),
    "pylsl": ("in bmi/lsl/ and bmi/clock.py", lambda p: name(p).startswith(("bmi/lsl/", "bmi/clock.py"))),
    "pyxdf": ("in bmi/formats/xdf.py", lambda p: name(p) == "bmi/formats/xdf.py"),
    "yaml": ("in bmi/recipe.py", lambda p: name(p) == "bmi/recipe.py"),
    "matplotlib": (
        "in bmi/report*.py and sim/pictures*.py",
        lambda p: name(p).startswith(("bmi/report", "sim/pictures")) and p.parent.name in PACKAGES,
    ),
    "networkx": ("in sim/circuits/structure.py", lambda p: name(p) == "sim/circuits/structure.py"),
    "pyarrow": ("in bmi/sweep/table.py", lambda p: name(p) == "bmi/sweep/table.py"),

}  # fmt: skip


@pytest.mark.parametrize("package", PLACES)
def test_it_is_imported_only_where_it_lives(package):
    where, allowed = PLACES[package]
    wrong = [
        f"{name(p)}:{line}"
        for p in SOURCES
        for top, line in imports(p)
        if top == package and not allowed(p)
    ]
    assert not wrong, f"{package} is imported only {where}"


@pytest.mark.parametrize("package", ["torch", "matplotlib", "pyarrow", "networkx"])
def test_what_is_heavy_and_optional_is_imported_when_used(package):
    wrong = [
        f"{name(p)}:{line}"
        for p in SOURCES
        for top, line in imports_at_once(p)
        if top == package
    ]
    assert not wrong, f"{package} is imported inside the function that needs it"


def test_kernels_import_nothing_but_numba_and_arithmetic():
    allowed = {"numba", "numpy", "math", "typing", "__future__", *PACKAGES}
    wrong = [
        f"{name(p)}:{line} {top}"
        for p in SOURCES
        if kernel(p)
        for top, line in imports(p)
        if top not in allowed
    ]
    assert not wrong


LIGHT = ["numba", "scipy", "pydantic", "pylsl", "typer", "rich", "yaml", "mcap", "matplotlib", "torch", "pyarrow",
         "networkx"]  # fmt: skip


def test_importing_bmi_is_light():
    code = f"import sys, bmi; print(*[m for m in {LIGHT!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


# --- what nobody writes -------------------------------------------------------------------------------

FORBIDDEN_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.load",
    "os.system", "os.popen", "numba.jit",
}  # fmt: skip


@cache
def calls(path: Path) -> list[tuple[str, ast.Call]]:
    return [
        (ast.unparse(node.func), node)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]


def test_nothing_can_run_code_out_of_a_file():
    wrong = [
        f"{name(p)}:{line} {top}"
        for p in SOURCES
        for top, line in imports(p)
        if top in FORBIDDEN_IMPORTS
    ]
    for path in SOURCES:
        for called, node in calls(path):
            pickles = any(
                k.arg in {"allow_pickle", "shell"}
                and not (isinstance(k.value, ast.Constant) and k.value.value is False)
                for k in node.keywords
            )
            if called in FORBIDDEN_CALLS or pickles:
                wrong.append(f"{name(path)}:{node.lineno} {ast.unparse(node)[:60]}")
    assert not wrong


def test_numpy_never_unpickles():
    """``np.load`` says so itself, so that a changed default cannot open the door."""
    wrong = [
        f"{name(p)}:{node.lineno}"
        for p in SOURCES
        for called, node in calls(p)
        if called in {"np.load", "numpy.load"} and "allow_pickle" not in {k.arg for k in node.keywords}
    ]
    assert not wrong


def blanket(handler: ast.ExceptHandler) -> bool:
    """Whether everything ends here; what tidies up and raises again does not."""
    if isinstance(handler.body[-1], ast.Raise) and handler.body[-1].exc is None:
        return False
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(c, ast.Name) and c.id in {"Exception", "BaseException"} for c in caught)


def test_a_blanket_except_exists_once_and_around_the_live_lane():
    found = [
        f"{name(p)}:{node.lineno}"
        for p in SOURCES
        for node in ast.walk(tree(p))
        if isinstance(node, ast.ExceptHandler) and blanket(node)
    ]
    assert len(found) <= 1, found
    assert all(place.startswith(("bmi/lane.py", "bmi/process.py")) for place in found), found


def test_nothing_is_left_for_later():
    words = ("raise NotImplemented" + "Error", "TO" + "DO", "FIX" + "ME", "X" + "XX")
    wrong = [
        f"{name(p)}:{i} {word}"
        for p in SOURCES + TESTS
        for i, line in enumerate(p.read_text(encoding="utf-8").splitlines(), 1)
        for word in words
        if word in line
    ]
    assert not wrong


def test_no_two_nouns_share_a_file():
    long = {
        name(p): n for p in SOURCES + TESTS if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long, "a file past 400 lines holds two nouns"


def test_functions_fit_a_screen():
    long = {
        f"{name(p)}:{node.lineno} {node.name}": length
        for p in SOURCES
        for node in ast.walk(tree(p))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 70
    }
    assert not long


def test_what_has_no_name_has_no_home():
    homeless = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
    assert not [name(p) for p in SOURCES if p.stem in homeless or p.parent.name in homeless]


def test_every_module_says_what_it_is():
    assert not [name(p) for p in SOURCES if not ast.get_docstring(tree(p))]


def public_without_docstring(path: Path) -> Iterator[str]:
    for node in tree(path).body:
        public = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if public and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{name(path)}:{node.lineno} {node.name}"


def test_every_public_thing_has_a_docstring():
    assert not [found for p in SOURCES for found in public_without_docstring(p)]


def test_tests_have_no_packages_and_mirror_the_house():
    assert not list((ROOT / "tests").rglob("__init__.py")), "tests/sim would shadow sim"


def test_no_file_knows_a_machine():
    """Absolute home or working folders have no place in what others will check out."""
    places = ("/ho" + "me/", "/wo" + "rk/", "/ro" + "ot/", "/Us" + "ers/", "/tm" + "p/")
    files = [
        *SOURCES,
        *TESTS,
        *(ROOT / "configs").rglob("*"),
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
    ]
    files += [ROOT / "pyproject.toml", ROOT / ".ci" / "run"]
    wrong = [
        f"{name(p)} {place}"
        for p in files
        if p.is_file()
        for place in places
        if place in p.read_text(encoding="utf-8", errors="ignore")
    ]
    assert not wrong
