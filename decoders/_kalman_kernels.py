"""Compiled steps of the Kalman filter: information form and steady state.

Parameters travel as one vector, and so does everything a step writes (``memory``): every array handed over
from Python costs about 0.15 µs, which was most of a steady-state step. ``memory`` holds x (n), P (n n), y
(m), the output mean (d) and covariance (d d), then scratch; ``memory_size`` says how much.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MAX_COAST = 256
"""Lost bins the dynamics bridge; after that many the mean has decayed to rest anyway."""


def memory_size(n: int, m: int, d: int, full: bool) -> int:
    """Return how many float64 a filter of n states, m features, d dimensions needs."""
    return n + n * n + m + d + d * d + 2 * m + 2 * n + 5 * n * n + (m * m + m * n + 2 * m if full else m)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def dot(a, b):
    """Inner product, free to be summed in any fixed order: that lets it use vector registers."""
    s = 0.0
    for c in range(a.size):
        s += a[c] * b[c]
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def observe(y, mask, b, r, ok):
    """Write ``y - b`` into r and 1 into ok, both 0 where masked or not finite; return the number observed."""
    for c in range(y.size):
        e = y[c] - b[c]
        good = mask[c] & (e - e == 0.0)  # inf - inf and nan - nan are nan
        r[c] = e if good else 0.0
        ok[c] = 1.0 if good else 0.0
    return int(dot(ok, ok))


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
def drop_full(ok, r, C, G, Qinv, D, v, scratch):
    """D and v of the observed channels under a full Q: eliminate the k missing ones from Q^-1.

    (Q_oo)^-1 = Qi_oo - Qi_om (Qi_mm)^-1 Qi_mo. Z (k, k) holds the factor of Qi_mm, R (n, k) first G_m, then
    G_m (Qi_mm)^-1, g one row of the reduced G. Costs k^3/3 + k n m.
    """
    n, m, k = D.shape[0], ok.size, 0
    index, g = scratch[:m], scratch[m : 2 * m]
    Z, R = scratch[2 * m : 2 * m + m * m].reshape(m, m), scratch[2 * m + m * m :].reshape(n, m)
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
        for c in range(m):
            g[c] = G[i, c]
        for a in range(k):
            row, f = Qinv[int(index[a])], R[i, a]
            for c in range(m):
                g[c] -= f * row[c]
        for c in range(m):
            g[c] *= ok[c]
        v[i] = dot(g, r)
        for j in range(i + 1):
            D[i, j] = dot(g, C[j])
            D[j, i] = D[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def information_rows(data, n_lost, mask, params, memory, n, d):
    """Predict and correct once per row of ``data``; return how many channels the last row observed.

    params: A, W, D (n n each), C', G' (n m each), b (m), then Q^-1 (m m) if Q is full.
    """
    m, nn = mask.size, n * n
    A, W = params[:nn].reshape(n, n), params[nn : 2 * nn].reshape(n, n)
    D, o = params[2 * nn : 3 * nn].reshape(n, n), 3 * nn
    C, G = params[o : o + m * n].reshape(n, m), params[o + m * n : o + 2 * m * n].reshape(n, m)
    o += 2 * m * n
    b = params[o : o + m]
    full = params.size > o + m
    x, P, y = memory[:n], memory[n : n + nn].reshape(n, n), memory[n + nn : n + nn + m]
    w = n + nn + m
    out, w = memory[w : w + d + d * d].reshape(d + 1, d), w + d + d * d
    r, ok, w = memory[w : w + m], memory[w + m : w + 2 * m], w + 2 * m
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
        seen = observe(y, mask, b, r, ok)
        predict(A, W, x, P, xp, Pp, T)
        if seen == m or not full:
            for i in range(n):
                v[i] = dot(G[i], r)
        if seen == m:
            correct(D, v, xp, Pp, L, S, T, x, P)
            continue
        if full:
            drop_full(ok, r, C, G, params[o + m :].reshape(m, m), Dm, v, scratch)
        else:
            drop_diagonal(ok, C, G, Dm, scratch)
        correct(Dm, v, xp, Pp, L, S, T, x, P)
    for i in range(d):
        out[0, i] = x[i]
        for j in range(d):
            out[i + 1, j] = P[i, j]
    return seen


@njit(cache=True, nogil=True, error_model="numpy")
def steady_rows(data, n_lost, mask, params, memory, n, d):
    """x = M x + K (y - b) per row; return how many channels the last row observed.

    params: A, P (n n each), C' (n m), M and K side by side (n n+m), b (m). A missing channel gets no
    innovation: it is taken to be what the state predicts.
    """
    m, nn = mask.size, n * n
    A, C, o = params[:nn].reshape(n, n), params[2 * nn : 2 * nn + n * m].reshape(n, m), 2 * nn + n * m
    MK, b = params[o : o + nn + n * m].reshape(n, n + m), params[o + nn + n * m :]
    x, y, w = memory[:n], memory[n + nn : n + nn + m], n + nn + m
    out, w = memory[w : w + d + d * d].reshape(d + 1, d), w + d + d * d
    ok, z, r = memory[w : w + m], memory[w + m : w + 2 * m + n], memory[w + m + n : w + 2 * m + n]
    for _ in range(min(n_lost, MAX_COAST)):
        for i in range(n):
            z[i] = dot(A[i], x)
        for i in range(n):
            x[i] = z[i]
    seen = 0
    for row in range(data.shape[0]):
        for c in range(data.shape[1]):
            y[c] = data[row, c]
        for i in range(n):
            z[i] = x[i]
        seen = observe(y, mask, b, r, ok)
        if seen < m:
            for j in range(n):
                f = dot(A[j], x)
                for c in range(m):
                    r[c] += (1.0 - ok[c]) * C[j, c] * f
        for i in range(n):
            x[i] = dot(MK[i], z)
    for i in range(d):
        out[0, i] = x[i]
        for j in range(d):
            out[i + 1, j] = params[nn + i * n + j]
    return seen
