"""Errors say where, what was expected, what was given and what to do, and whose they are to mend."""

import pytest

from bmi import errors
from bmi.errors import (
    BMIError,
    ContractError,
    DeviceError,
    NotFittedError,
    PluginError,
    Problem,
    RecipeError,
    RecordingError,
    SafetyTrip,
    StreamChanged,
    StreamError,
    StreamLost,
    StreamNotFound,
)

ALL = [
    e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, Exception)
]  # every error there is, also those yet to come


@pytest.mark.parametrize("error", ALL)
def test_one_except_catches_all_of_ours(error):
    assert issubclass(error, BMIError)


@pytest.mark.parametrize("error", ALL)
def test_the_exit_code_says_whose_it_is(error):
    running = {StreamError, StreamLost, StreamChanged, DeviceError, SafetyTrip}
    assert error.exit_code == (3 if error in running else 2)


def test_the_tree_is_as_drawn():
    drawn = {
        RecipeError: BMIError, PluginError: BMIError, ContractError: BMIError, NotFittedError: ContractError,
        RecordingError: BMIError, StreamError: BMIError, StreamNotFound: StreamError, StreamLost: StreamError,
        StreamChanged: StreamError, DeviceError: BMIError, SafetyTrip: DeviceError,
    }  # fmt: skip
    assert {e: e.__base__ for e in ALL if e is not BMIError} == drawn
    assert errors.__doc__ is not None
    assert all(e.__name__ in errors.__doc__ for e in ALL)


def test_a_recipe_error_tells_every_problem_with_its_path():
    error = RecipeError("a.yaml", [Problem("stages.0.bin_s", "must be > 0"), Problem("gate.x", "unknown")])
    assert str(error) == "a.yaml: 2 problems\n  stages.0.bin_s: must be > 0\n  gate.x: unknown"
    assert str(RecipeError("a.yaml", [Problem("x", "y")])).startswith("a.yaml: 1 problem\n")
    assert error.problems[1].path == "gate.x"


def test_a_trip_says_rule_measurement_limit_and_what_to_do():
    trip = SafetyTrip("sample age", 212.0, 150.0, "ms")
    for words in ("sample age", "212 ms", "150 ms", "stopped", "arm again"):
        assert words in str(trip)
    assert (trip.measured, trip.limit, trip.unit) == (212.0, 150.0, "ms")
