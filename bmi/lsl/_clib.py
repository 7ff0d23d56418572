"""liblsl functions with their own signatures.

``CDLL[name]`` makes a fresh function object, so argument types set here do not leak into pylsl's; with them,
plain ints and floats are passed and nothing is allocated per call. The interpreter lock is released inside.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pylsl.lib import lib

_POINTER, _INT, _DOUBLE, _ULONG = ctypes.c_void_p, ctypes.c_int32, ctypes.c_double, ctypes.c_ulong

BUFFER_IN_SAMPLES = 1
"""Transport flag: the buffer length is a number of samples."""
SYNC_BLOCKING = 4
"""Transport flag: a push writes to the sockets itself, without a thread in between (liblsl 1.18)."""

LOST = -2
"""Error code: the stream is gone and cannot be recovered."""


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = lib[name]
    function.restype, function.argtypes = result, list(arguments)
    return function


library_version = _function("lsl_library_version", _INT)
local_clock = _function("lsl_local_clock", _DOUBLE)
create_inlet = _function("lsl_create_inlet_ex", _POINTER, _POINTER, _INT, _INT, _INT, _INT)
destroy_inlet = _function("lsl_destroy_inlet", None, _POINTER)
open_stream = _function("lsl_open_stream", None, _POINTER, _DOUBLE, _POINTER)
full_info = _function("lsl_get_fullinfo", _POINTER, _POINTER, _DOUBLE, _POINTER)
time_correction = _function("lsl_time_correction", _DOUBLE, _POINTER, _DOUBLE, _POINTER)
was_clock_reset = _function("lsl_was_clock_reset", ctypes.c_uint32, _POINTER)
pull_chunk = _function("lsl_pull_chunk_f", _ULONG, _POINTER, _POINTER, _POINTER, _ULONG, _ULONG, _DOUBLE, _POINTER)
create_outlet = _function("lsl_create_outlet_ex", _POINTER, _POINTER, _INT, _INT, _INT)
destroy_outlet = _function("lsl_destroy_outlet", None, _POINTER)
push_chunk = _function("lsl_push_chunk_ftp", _INT, _POINTER, _POINTER, _ULONG, _DOUBLE, _INT)
wait_for_consumers = _function("lsl_wait_for_consumers", _INT, _POINTER, _DOUBLE)
pull_strings = _function(
    "lsl_pull_chunk_buf", _ULONG, _POINTER, _POINTER, _POINTER, _POINTER, _ULONG, _ULONG, _DOUBLE, _POINTER
)
pull_doubles = _function("lsl_pull_chunk_d", _ULONG, _POINTER, _POINTER, _POINTER, _ULONG, _ULONG, _DOUBLE, _POINTER)
destroy_string = _function("lsl_destroy_string", None, _POINTER)
