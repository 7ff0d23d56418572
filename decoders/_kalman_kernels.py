"""Compiled steps of the Kalman filter: information form and steady state.

Parameters travel as one vector, and so does everything a step writes (``memory``): every array handed over
from Python costs about 0.1 µs. ``memory`` holds x (n), P (n n), y (m), the output mean (d) and covariance
(d d), then scratch; ``memory_size`` says how much. Rows over channels are padded with zeros to whole cache
lines and both vectors begin on one: a misaligned row costs the vector loads twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit

HEAD = 8
"""The parameter vector begins with the numbers of states and of dimensions, and room to the next cache line."""
MAX_COAST = 256
"""Lost bins the dynamics bridge; after that many the mean has decayed to rest anyway."""


def memory_size(n: int, m: int, d: int, full: bool) -> int:
    """Return how many float64 a filter of n states, m features, d dimensions needs."""
    small, rows = n + n * n + m + d + d * d + 8, 3 * (m + 8) + n + 8
    return small + rows + 2 * n + 5 * n * n + (m + m * m + m * n if full else 0)


def params_size(form: str, n: int, m: int, full: bool) -> int:
    """Return how many float64 of parameters the kernel of this form reads."""
    m8, n8 = -(-m // 8) * 8, -(-n // 8) * 8
    if form == "steady":
        return HEAD + n * m8 + n * (m8 + n8) + m8 + 2 * n * n
    return HEAD + 2 * n * m8 + m8 + 3 * n * n + (m * m if full else 0)


@njit(cache=True, nogil=True, error_model="numpy")
def up8(n):
    """Round up to a whole cache line of float64."""
    return (n + 7) // 8 * 8


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def dot(a, b):
    """Inner product, free to be summed in any fixed order: that lets it use vector registers."""
    s = 0.0
    for c in range(a.size):
        s += a[c] * b[c]
    return s


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def product(K, z, out):
    """out = K z, each row summed as in ``dot``; ``out`` may not overlap z."""
    for i in range(out.size):
        s = 0.0
        for c in range(z.size):
            s += K[i, c] * z[c]
        out[i] = s


@njit(cache=True, nogil=True, error_model="numpy")
def observe(y, mask, b, r):
    """Write ``y - b`` into r, 0 where masked or not finite; return the number observed."""
    seen = 0
    for c in range(y.size):
        e = y[c] - b[c]
        good = mask[c] & (e - e == 0.0)  # inf - inf and nan - nan are nan
        r[c] = e if good else 0.0
        seen += 1 if good else 0
    return seen


@njit(cache=True, nogil=True, error_model="numpy")
def observed(y, mask, ok):
    """Write 1 into ok where a feature was observed, else 0."""
    for c in range(y.size):
        ok[c] = 1.0 if mask[c] & (y[c] - y[c] == 0.0) else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def cholesky(S, L):
    """Lower factor of a positive semi-definite S; a direction without variance gets a zero column."""
    n = S.shape[0]
    for j in range(n):
        for k in range(n):
            L[j, k] = 0.0
    for j in range(n):
        d = S[j, j]
        for k in range(j):
            d -= L[j, k] * L[j, k]
        if d <= 1e-15 * S[j, j]:
            continue
        d = np.sqrt(d)
        L[j, j] = d
        d = 1.0 / d
        for i in range(j + 1, n):
            s = S[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            L[i, j] = s * d


@njit(cache=True, nogil=True, error_model="numpy")
def predict(A, W, x, P, xp, Pp, T):
    """xp = A x and Pp = A P A' + W; T = P A' is scratch."""
    n = x.size
    for i in range(n):
        s = 0.0
        for k in range(n):
            s += A[i, k] * x[k]
        xp[i] = s
    for i in range(n):
        for j in range(n):
            s = 0.0
            for k in range(n):
                s += P[i, k] * A[j, k]
            T[i, j] = s
    for i in range(n):
        for j in range(n):
            Pp[i, j] = W[i, j]
        for k in range(n):
            a = A[i, k]
            for j in range(n):
                Pp[i, j] += a * T[k, j]


@njit(cache=True, nogil=True, error_model="numpy")
def correct(D, v, xp, Pp, L, S, T, x, P):
    """P = (Pp^-1 + D)^-1 and x = xp + P (v - D xp), without inverting Pp.

    With Pp = L L', P = L (I + L'DL)^-1 L' = U'U: symmetric and non-negative by construction, and Pp may be
    singular (a position that is only integrated has no noise of its own).
    """
    n = x.size
    cholesky(Pp, L)
    for i in range(n):  # T = D L
        for j in range(n):
            T[i, j] = 0.0
        for k in range(n):
            d = D[i, k]
            for j in range(k + 1):
                T[i, j] += d * L[k, j]
    for i in range(n):  # P = I + L'DL, lower half, as scratch
        for j in range(i + 1):
            P[i, j] = 0.0
        P[i, i] = 1.0
    for k in range(n):
        for i in range(k + 1):
            a = L[k, i]
            for j in range(i + 1):
                P[i, j] += a * T[k, j]
    cholesky(P, S)
    for i in range(n):  # T = U = S^-1 L'
        for j in range(n):
            T[i, j] = L[j, i]
        for k in range(i):
            a = S[i, k]
            for j in range(n):
                T[i, j] -= a * T[k, j]
        a = 1.0 / S[i, i]
        for j in range(n):
            T[i, j] *= a
    for i in range(n):
        for j in range(i + 1):
            P[i, j] = 0.0
    for k in range(n):
        for i in range(n):
            a = T[k, i]
            for j in range(i + 1):
                P[i, j] += a * T[k, j]
    for i in range(n):
        for j in range(i):
            P[j, i] = P[i, j]
    for i in range(n):
        s = v[i]
        for k in range(n):
            s -= D[i, k] * xp[k]
        S[0, i] = s
    for i in range(n):
        s = xp[i]
        for k in range(n):
            s += P[i, k] * S[0, k]
        x[i] = s


@njit(cache=True, nogil=True, error_model="numpy")
def drop_diagonal(ok, C, G, D, g):
    """D = information of the observed channels alone, summed anew: subtracting would lose digits."""
    n = D.shape[0]
    for i in range(n):
        for c in range(ok.size):
            g[c] = G[i, c] * ok[c]
        for j in range(i + 1):
            D[i, j] = dot(g, C[j])
            D[j, i] = D[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def drop_full(ok, r, C, G, Qinv, D, v, g, scratch):
    """D and v of the observed channels under a full Q: eliminate the k missing ones from Q^-1.

    (Q_oo)^-1 = Qi_oo - Qi_om (Qi_mm)^-1 Qi_mo. Z (k, k) holds the factor of Qi_mm, R (n, k) first G_m, then
    G_m (Qi_mm)^-1, g one row of the reduced G. Costs k^3/3 + k n m.
    """
    n, m, k = D.shape[0], Qinv.shape[0], 0
    index, Z = scratch[:m], scratch[m : m + m * m].reshape(m, m)
    R = scratch[m + m * m : m + m * m + n * m].reshape(n, m)
    for c in range(m):
        if ok[c] == 0.0:
            index[k] = c
            k += 1
    for a in range(k):
        row = Qinv[int(index[a])]
        for e in range(a + 1):
            s = row[int(index[e])] - dot(Z[a, :e], Z[e, :e])
            Z[a, e] = np.sqrt(s) if a == e else s / Z[e, e]
    for i in range(n):
        for a in range(k):
            R[i, a] = (G[i, int(index[a])] - dot(Z[a, :a], R[i, :a])) / Z[a, a]
        for a in range(k - 1, -1, -1):
            R[i, a] /= Z[a, a]
            for q in range(a):
                R[i, q] -= Z[a, q] * R[i, a]
    for i in range(n):
        for c in range(ok.size):
            g[c] = G[i, c]
        for a in range(k):
            row, f = Qinv[int(index[a])], R[i, a]
            for c in range(m):
                g[c] -= f * row[c]
        for c in range(ok.size):
            g[c] *= ok[c]
        v[i] = dot(g, r)
        for j in range(i + 1):
            D[i, j] = dot(g, C[j])
            D[j, i] = D[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def information_rows(data, n_lost, mask, params, memory):
    """Predict and correct once per row of ``data``; return how many channels the last row observed.

    params: head, C', G' (n m8 each), b (m8), A, W, D (n n each), then Q^-1 (m m) if Q is full.
    """
    n, d, m, m8, o = int(params[0]), int(params[1]), mask.size, up8(mask.size), HEAD
    nn = n * n
    C, o = params[o : o + n * m8].reshape(n, m8), o + n * m8
    G, o = params[o : o + n * m8].reshape(n, m8), o + n * m8
    b, o = params[o : o + m8], o + m8
    A, W = params[o : o + nn].reshape(n, n), params[o + nn : o + 2 * nn].reshape(n, n)
    D, Q = params[o + 2 * nn : o + 3 * nn].reshape(n, n), params[o + 3 * nn :]
    x, P, y, w = memory[:n], memory[n : n + nn].reshape(n, n), memory[n + nn : n + nn + m], n + nn + m
    out, w = memory[w : w + d + d * d].reshape(d + 1, d), up8(w + d + d * d)
    r, ok, g = memory[w : w + m8], memory[w + m8 : w + 2 * m8], memory[w + 2 * m8 : w + 3 * m8]
    w += 3 * m8
    xp, v, w = memory[w : w + n], memory[w + n : w + 2 * n], w + 2 * n
    Pp, L = memory[w : w + nn].reshape(n, n), memory[w + nn : w + 2 * nn].reshape(n, n)
    S, T = memory[w + 2 * nn : w + 3 * nn].reshape(n, n), memory[w + 3 * nn : w + 4 * nn].reshape(n, n)
    Dm, scratch = memory[w + 4 * nn : w + 5 * nn].reshape(n, n), memory[w + 5 * nn :]
    for _ in range(min(n_lost, MAX_COAST)):
        predict(A, W, x, P, xp, Pp, T)
        for i in range(n):
            x[i] = xp[i]
            for j in range(n):
                P[i, j] = Pp[i, j]
    seen = 0
    for row in range(data.shape[0]):
        for c in range(data.shape[1]):
            y[c] = data[row, c]
        seen = observe(y, mask, b, r)
        predict(A, W, x, P, xp, Pp, T)
        if seen == m or Q.size == 0:
            product(G, r, v)
        if seen == m:
            correct(D, v, xp, Pp, L, S, T, x, P)
            continue
        observed(y, mask, ok)
        if Q.size > 0:
            drop_full(ok, r, C, G, Q.reshape(m, m), Dm, v, g, scratch)
        else:
            drop_diagonal(ok, C, G, Dm, g)
        correct(Dm, v, xp, Pp, L, S, T, x, P)
    for i in range(d):
        out[0, i] = x[i]
        for j in range(d):
            out[i + 1, j] = P[i, j]
    return seen


@njit(cache=True, nogil=True, error_model="numpy")
def steady_rows(data, n_lost, mask, params, memory):
    """x = K (y - b) + M x per row; return how many channels the last row observed.

    params: head, C' (n m8), K and M side by side (n m8+n8), b (m8), A, P (n n each). A missing channel gets no
    innovation: it is taken to be what the state predicts.
    """
    n, d, m, m8, o = int(params[0]), int(params[1]), mask.size, up8(mask.size), HEAD
    nn, s8 = n * n, m8 + up8(n)
    C, o = params[o : o + n * m8].reshape(n, m8), o + n * m8
    KM, o = params[o : o + n * s8].reshape(n, s8), o + n * s8
    b, o = params[o : o + m8], o + m8
    A = params[o : o + nn].reshape(n, n)
    x, y, w = memory[:n], memory[n + nn : n + nn + m], n + nn + m
    mean, w = memory[w : w + d], up8(w + d + d * d)
    z, ok = memory[w : w + s8], memory[w + s8 : w + s8 + m8]
    r, xz = z[:m8], z[m8:]
    for _ in range(min(n_lost, MAX_COAST)):
        for i in range(n):
            xz[i] = dot(A[i], x)
        for i in range(n):
            x[i] = xz[i]
    seen = 0
    for row in range(data.shape[0]):
        for c in range(data.shape[1]):
            y[c] = data[row, c]
        for i in range(n):
            xz[i] = x[i]
        seen = observe(y, mask, b, r)
        if seen < m:
            observed(y, mask, ok)
            for j in range(n):
                f = dot(A[j], x)
                for c in range(m):
                    r[c] += (1.0 - ok[c]) * C[j, c] * f
        product(KM, z, x)
    for i in range(d):
        mean[i] = x[i]
    return seen
