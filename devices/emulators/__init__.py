"""Byte-level stand-ins for what sits behind a device, written from the documented bytes alone."""
