"""Everything wrong with a sweep, at every point of it, before the first run."""

from __future__ import annotations

from bmi.errors import BMIError, Problem, RecipeError
from bmi.recipe import build
from bmi.simulate import prepare
from bmi.sweep.keys import hint
from bmi.sweep.plan import Plan, Point
from bmi.sweep.worker import FAULTS


def check(plan: Plan) -> None:
    """Build and bind every point of a plan; kernels are compiled here, once, and not by every worker.

    Raises
    ------
    RecipeError
        With every problem of every point.
    """
    where: dict[Problem, list[Point]] = {}
    for i, point in enumerate(plan.points):
        problems = list(point.problems)
        try:
            prepare(build(plan.recipe_of(i * len(plan.seeds)), plan.recipe))
        except RecipeError as e:
            problems += [_with_hint(plan, point, p) for p in e.problems]
        except BMIError as e:
            problems.append(Problem("(bind)", str(e)))
        except FAULTS as e:
            problems.append(Problem("(bind)", f"{type(e).__name__}: {e}"))
        for problem in problems:
            where.setdefault(problem, []).append(point)
    if where:
        n = len(plan.points)
        raise RecipeError(plan.recipe, [_say_where(problem, points, n) for problem, points in where.items()])


def _with_hint(plan: Plan, point: Point, problem: Problem) -> Problem:
    """Say of a key that its node does not know where in the recipe it is known."""
    if not problem.message.startswith("unknown key"):
        return problem
    path = problem.path.replace("[", ".").replace("]", "").split(".")
    for key, place in point.places.items():
        if [str(step) for step in place] == path:
            return Problem(f"--grid {key}", problem.message + hint(plan.raw, key))
    return problem


def _say_where(problem: Problem, points: list[Point], n: int) -> Problem:
    if len(points) == n:
        return problem
    values = ", ".join(f"{key}={value}" for key, value in points[0].values.items())
    others = len(points) - 1
    more = f" and {others} more point{'s' if others > 1 else ''}" if others else ""
    return Problem(problem.path, f"{problem.message} (at {values}{more})")
