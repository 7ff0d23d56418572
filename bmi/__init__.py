"""multiscale-bmi: a real-time brain-machine interface. Research use only; not a medical device.

Everything public is here, flat; what is heavy is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bmi.blocks import Block as Block
    from bmi.blocks import Blocks as Blocks
    from bmi.clock import LSLClock as LSLClock
    from bmi.clock import ManualClock as ManualClock
    from bmi.gate import Gate as Gate
    from bmi.line import Line as Line
    from bmi.lsl.inlet import LSLSource as LSLSource
    from bmi.lsl.outlet import Outlet as Outlet
    from bmi.pipeline import Pipeline as Pipeline
    from bmi.recording import Recording as Recording
    from bmi.session import Session as Session

_WHERE = {
    "errors": "BMIError ContractError DeviceError NotFittedError PluginError RecipeError RecordingError SafetyTrip "
    "StreamChanged StreamError StreamLost StreamNotFound",
    "signals": "Chunk Command DeviceSpec EffectorState Event GateFlag GateState Goal Intent IntentSpec StreamSpec",
    "contracts": "Clock Decoder Device Learner Prior Sink Source Stage Task TrialResult World",
    "blocks": "Block Blocks",
    "clock": "LSLClock ManualClock",
    "gate": "Gate",
    "line": "Line",
    "lsl.inlet": "LSLSource",
    "lsl.outlet": "Outlet",
    "pipeline": "Pipeline",
    "recipe": "Recipe",
    "recording": "Recording",
    "session": "Session",
    "simulate": "simulate",
}
_MODULE = {name: module for module, names in _WHERE.items() for name in names.split()}
__all__ = sorted(_MODULE)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'bmi' has no attribute {name!r}; public names: {', '.join(__all__)}")
    return getattr(importlib.import_module(f"bmi.{_MODULE[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
