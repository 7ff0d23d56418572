"""Philox4x32-10 once more, in Python's own integers, from Salmon et al. (2011), section 3.3."""

from __future__ import annotations

MASK = 0xFFFFFFFF


def philox4x32(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the four 32-bit words of ``counter`` under ``key``: ten rounds, the key raised between them."""
    c, (k0, k1) = counter, key
    for _ in range(10):
        left, right = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = ((right >> 32) ^ c[1] ^ k0, right & MASK, (left >> 32) ^ c[3] ^ k1, left & MASK)
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c
