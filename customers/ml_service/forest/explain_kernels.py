"""The compiled explanation loops; the method and its sources stand in `explain`. Imported by `engine`, and late.

One row is explained leaf by leaf, many leaves at a time. Many rows are explained edge by edge, which shares the work
of the leaves below an edge. Going down, P[q] is kept the product over the path's features of h t + c (1 - t), at each
point t of the quadrature. Going up, G[q] is the sum of value * P[q] over the leaves below. A node on feature j whose
edge changes (h', c') to (h, c) adds  sum over q of  w G (alpha(h, c) - alpha(h', c'))  to phi_j, with
alpha(1, c) = (1 - c) / (t + c (1 - t)) and alpha(0, c) = -1 / (1 - t). Where the row had left the path on that feature
before ("off"), the two alphas are the same.

The arithmetic within a tree, or a block of leaves, is of the type that the caller's arrays have, across them float64.
With float32 a forest of many trees stays within 1e-8 of float64 throughout, at half the time.
Loops over lanes index flat arrays by unsigned offsets, touch few of them and choose by values computed beforehand, or
LLVM gives up vectorising (20 times slower): it must rule out negative indices, checks at most eight pairs of memory
areas for overlap, and turns lazily evaluated conditions into branches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernel_cache import compiled
from .paths import Paths

# Literal numbers only: numba's cache notices changes of this file alone, not of what is imported into it.
ROWS = 128
_Q = 5  # points of the quadrature at most
_AREA = _Q * ROWS
# Line k: points on [0, 1] and weights of the quadrature by k of them.
_T, _W = np.full((_Q + 1, _Q), 0.5), np.zeros((_Q + 1, _Q))
for _points in range(1, _Q + 1):
    _roots, _weights = np.polynomial.legendre.leggauss(_points)
    _T[_points, :_points], _W[_points, :_points] = (_roots + 1) / 2, _weights / 2
_S = 1 - _T

_FEATURES = 9
_LANES = np.uint64(ROWS)
_OFF, _LEFT, _RIGHT = np.float32(0), np.float32(1), np.float32(2)

# A node's line in its tree's table. First what P is multiplied with, for the left (L) and the right (R) child, when the
# row goes left, goes right, or is off; then the weights of G. Those of twins, two leaves, are joined in the L columns.
_L_LEFT, _L_RIGHT, _R_LEFT, _R_RIGHT = 0, _Q, 2 * _Q, 3 * _Q
_GAIN_L_LEFT, _GAIN_L_RIGHT, _GAIN_R_LEFT, _GAIN_R_RIGHT = 4 * _Q, 5 * _Q, 6 * _Q, 7 * _Q
_L_OFF, _R_OFF = 8 * _Q, 8 * _Q + 1
_WIDTH = 8 * _Q + 2

Float32s = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Reals = NDArray[Any]  # float32 or float64
# Inlined: a call hands over each array as seven numbers, which at every node would take a third of the time.
_jit = compiled(error_model="numpy", forceinline=True)


@_jit
def _fill_line(shares: Floats, values: Floats, points: int, line: Reals) -> None:
    before, left, right = shares[0], shares[1], shares[2]
    line[_L_OFF] = values[0] * left / before if before > 0 else 0.0
    line[_R_OFF] = values[1] * right / before if before > 0 else 0.0
    for q in range(points):
        t, s, w = _T[points, q], _S[points, q], _W[points, q]
        at, at_left, at_right = t + before * s, t + left * s, t + right * s
        alpha = (1 - before) / at
        line[_L_LEFT + q] = values[0] * at_left / at
        line[_L_RIGHT + q] = values[0] * left * s / at
        line[_R_LEFT + q] = values[1] * right * s / at
        line[_R_RIGHT + q] = values[1] * at_right / at
        line[_GAIN_L_LEFT + q] = w * ((1 - left) / at_left - alpha)
        line[_GAIN_R_RIGHT + q] = w * ((1 - right) / at_right - alpha)
        line[_GAIN_L_RIGHT + q] = line[_GAIN_R_LEFT + q] = -w / s - w * alpha


@_jit
def _join_twins(points: int, line: Reals) -> None:
    line[_L_OFF] += line[_R_OFF]
    for q in range(points):
        l_left, r_left = line[_L_LEFT + q], line[_R_LEFT + q]
        l_right, r_right = line[_L_RIGHT + q], line[_R_RIGHT + q]
        line[_L_LEFT + q] = l_left + r_left
        line[_L_RIGHT + q] = l_right + r_right
        line[_GAIN_L_LEFT + q] = l_left * line[_GAIN_L_LEFT + q] + r_left * line[_GAIN_R_LEFT + q]
        line[_GAIN_L_RIGHT + q] = l_right * line[_GAIN_L_RIGHT + q] + r_right * line[_GAIN_R_RIGHT + q]


@_jit
def _fill_table(
    shares: Floats, leaves: NDArray[np.bool_], values: Floats, first: int, last: int, points: int, table: Reals
) -> None:
    """Write the lines of the tree whose inner nodes are first, ..., last - 1."""
    for node in range(first, last):
        _fill_line(shares[node], values[node], points, table[node - first])
        if leaves[node, 0] and leaves[node, 1]:
            _join_twins(points, table[node - first])


@_jit
def _split(state: Float32s, former: int, own: int, block: Float32s, feature: int, threshold: float) -> None:
    """Write into `state` where each row goes at a node; off stays off, known by the former node on the feature."""
    code = _RIGHT if former & 1 else _LEFT
    at_former, at_own, at_value = np.uint64((former >> 1) * ROWS), np.uint64(own * ROWS), np.uint64(feature * ROWS)
    for lane in range(_LANES):
        side = _RIGHT if block[at_value + lane] > threshold else _LEFT
        state[at_own + lane] = side if state[at_former + lane] == code else _OFF


@_jit
def _go_down(
    table: Reals, line: int, points: int, state: Float32s, own: int, work: Reals, source: int, to_left: int,
    to_right: int,
) -> None:  # fmt: skip
    at_state = np.uint64(own * ROWS)
    l_off, r_off = table[line + _L_OFF], table[line + _R_OFF]
    for q in range(points):
        l_left, l_right = table[line + _L_LEFT + q], table[line + _L_RIGHT + q]
        r_left, r_right = table[line + _R_LEFT + q], table[line + _R_RIGHT + q]
        at_p, at_l, at_r = np.uint64(source + q * ROWS), np.uint64(to_left + q * ROWS), np.uint64(to_right + q * ROWS)
        for lane in range(_LANES):
            p = work[at_p + lane]
            goes_left, goes_right = state[at_state + lane] == _LEFT, state[at_state + lane] == _RIGHT
            work[at_l + lane] = p * (l_left if goes_left else (l_right if goes_right else l_off))
            work[at_r + lane] = p * (r_left if goes_left else (r_right if goes_right else r_off))


@_jit
def _go_up(
    table: Reals, line: int, points: int, state: Float32s, own: int, work: Reals, source: int, target: int, phi: Reals,
    feature: int,
) -> None:  # fmt: skip
    at_state, at_phi = np.uint64(own * ROWS), np.uint64(feature * ROWS)
    for q in range(points):
        l_left, l_right = table[line + _GAIN_L_LEFT + q], table[line + _GAIN_L_RIGHT + q]
        r_left, r_right = table[line + _GAIN_R_LEFT + q], table[line + _GAIN_R_RIGHT + q]
        at_l, at_r = np.uint64(source + q * ROWS), np.uint64(source + _AREA + q * ROWS)
        at_g = np.uint64(target + q * ROWS)
        for lane in range(_LANES):
            left, right = work[at_l + lane], work[at_r + lane]
            goes_left, goes_right = state[at_state + lane] == _LEFT, state[at_state + lane] == _RIGHT
            if_left, if_right = left * l_left + right * r_left, left * l_right + right * r_right
            work[at_g + lane] = left + right
            phi[at_phi + lane] += if_left if goes_left else (if_right if goes_right else _OFF)


@_jit
def _pass_twins(
    table: Reals, line: int, points: int, state: Float32s, own: int, work: Reals, source: int, phi: Reals, feature: int
) -> None:
    """Go down to two leaves and up again at once."""
    at_state, at_phi = np.uint64(own * ROWS), np.uint64(feature * ROWS)
    off = table[line + _L_OFF]
    for q in range(points):
        left, right = table[line + _L_LEFT + q], table[line + _L_RIGHT + q]
        gain_left, gain_right = table[line + _GAIN_L_LEFT + q], table[line + _GAIN_L_RIGHT + q]
        at = np.uint64(source + q * ROWS)
        for lane in range(_LANES):
            p = work[at + lane]
            goes_left, goes_right = state[at_state + lane] == _LEFT, state[at_state + lane] == _RIGHT
            work[at + lane] = p * (left if goes_left else (right if goes_right else off))
            phi[at_phi + lane] += p * (gain_left if goes_left else (gain_right if goes_right else _OFF))


@_jit
def _close(
    first: int, points: int, slots: Ints, features: Ints, table: Reals, state: Float32s, work: Reals,
    open_nodes: Ints, deepest: int, down_to: int, phi: Reals,
) -> None:  # fmt: skip
    """Go up from the open nodes at the depths deepest, ..., down_to: everything below them is summed."""
    for depth in range(deepest, down_to - 1, -1):
        node = open_nodes[depth]
        below, target = 2 * (depth + 1) * _AREA, slots[node] * _AREA
        _go_up(table, (node - first) * _WIDTH, points, state, depth + 1, work, below, target, phi, features[node])


@_jit
def _explain_block(
    first: int, last: int, points: int, depths: Ints, slots: Ints, former: Ints, features: Ints, thresholds: Float32s,
    leaves: NDArray[np.bool_], table: Reals, block: Float32s, state: Float32s, work: Reals,
    open_nodes: Ints, phi: Reals,
) -> None:  # fmt: skip
    """Add one tree's contributions for a block of rows to `phi`.

    `work` holds P of every slot, and G in its place as soon as everything below is summed.
    """
    work[:_AREA] = 1  # of the root: nothing is tested yet
    deepest = -1
    for node in range(first, last):
        depth, feature, line = depths[node], features[node], (node - first) * _WIDTH
        source, children = slots[node] * _AREA, 2 * (depth + 1) * _AREA
        _close(first, points, slots, features, table, state, work, open_nodes, deepest, depth, phi)
        _split(state, former[node], depth + 1, block, feature, thresholds[node])
        deepest = depth - 1
        if leaves[node, 0] and leaves[node, 1]:
            _pass_twins(table, line, points, state, depth + 1, work, source, phi, feature)
        else:
            _go_down(table, line, points, state, depth + 1, work, source, children, children + _AREA)
            open_nodes[depth] = node
            deepest = depth
    _close(first, points, slots, features, table, state, work, open_nodes, deepest, 0, phi)


@_jit
def explain_blocks(paths: Paths, blocks: Float32s, phi: Reals, contributions: Floats) -> None:
    """Add every tree's contributions to `contributions`, (n_blocks, 9 * ROWS) like `blocks`: feature by feature.

    `phi` (9 * ROWS,) is scratch of the type to compute in.
    """
    n_slots = paths.n_slots
    state = np.full(n_slots * ROWS, _LEFT)
    work = np.empty(n_slots * _AREA, phi.dtype)
    open_nodes = np.zeros(n_slots, np.int64)
    for tree in range(paths.starts.size - 1):
        first, last, points = paths.starts[tree], paths.starts[tree + 1], paths.points[tree]
        table = np.empty((last - first, _WIDTH), phi.dtype)
        _fill_table(paths.shares, paths.leaves, paths.values, first, last, points, table)
        for block in range(len(blocks)):
            phi[:] = 0
            _explain_block(
                first, last, points, paths.depths, paths.slots, paths.former, paths.features, paths.thresholds,
                paths.leaves, table.reshape(-1), blocks[block], state, work, open_nodes, phi,
            )  # fmt: skip
            contributions[block] += phi


@_jit
def _follow(lows: Float32s, highs: Float32s, row: Float32s, hot: Float32s) -> None:
    """Write into `hot` on which features the row lies inside each leaf's box; lanes are leaves here."""
    for feature in range(_FEATURES):
        value, offset = row[feature], np.uint64(feature * ROWS)
        for lane in range(_LANES):
            inside = (value > lows[offset + lane]) & (value <= highs[offset + lane])
            hot[offset + lane] = _LEFT if inside else _OFF


@_jit
def _multiply(shares: Reals, hot: Float32s, t: Any, s: Any, p: Reals) -> None:
    for feature in range(_FEATURES):
        offset = np.uint64(feature * ROWS)
        for lane in range(_LANES):
            rest = shares[offset + lane] * s
            p[lane] *= rest + t if hot[offset + lane] > _OFF else rest


@_jit
def _gather(shares: Reals, hot: Float32s, t: Any, s: Any, p: Reals, phi: Reals) -> None:
    one = shares.dtype.type(1)
    cold_gain = -one / s
    for feature in range(_FEATURES):
        offset = np.uint64(feature * ROWS)
        for lane in range(_LANES):
            c = shares[offset + lane]
            hot_gain = (one - c) / (t + c * s)
            phi[offset + lane] += p[lane] * (hot_gain if hot[offset + lane] > _OFF else cold_gain)


@_jit
def explain_row(
    values: Reals, shares: Reals, lows: Float32s, highs: Float32s, row: Float32s, contributions: Floats
) -> None:
    """Add all leaves' contributions for one encoded row (9,) to `contributions` (9,), many leaves at a time.

    The leaves come in blocks: `values` (n_blocks, ROWS), the others (n_blocks, 9 * ROWS), feature by feature.
    """
    real = shares.dtype.type
    hot, phi = np.empty(_FEATURES * ROWS, np.float32), np.empty(_FEATURES * ROWS, shares.dtype)
    p, totals = np.empty(ROWS, shares.dtype), np.zeros(_FEATURES * ROWS)
    for block in range(len(values)):
        _follow(lows[block], highs[block], row, hot)
        phi[:] = 0
        for q in range(_Q):
            t, s = real(_T[_Q, q]), real(_S[_Q, q])
            p[:] = values[block] * real(_W[_Q, q])
            _multiply(shares[block], hot, t, s, p)
            _gather(shares[block], hot, t, s, p, phi)
        totals += phi
    for feature in range(_FEATURES):
        contributions[feature] += totals[feature * ROWS : (feature + 1) * ROWS].sum()


def _compile() -> None:
    """Run both kernels on nothing, so that importing this module compiles them or reads them from numba's cache."""
    nothing, row = np.zeros((0, _FEATURES * ROWS), np.float32), np.zeros(_FEATURES, np.float32)
    for real in (np.float32, np.float64):
        leaves, phi = nothing.astype(real), np.zeros(_FEATURES * ROWS, real)
        explain_row(np.zeros((0, ROWS), real), leaves, nothing, nothing, row, np.zeros(_FEATURES))
        explain_blocks(_NO_PATHS, nothing, phi, np.zeros((0, _FEATURES * ROWS)))


_NO_PATHS = Paths(
    starts=np.zeros(1, np.int64),
    points=np.zeros(0, np.int64),
    depths=np.zeros(0, np.int64),
    slots=np.zeros(0, np.int64),
    former=np.zeros(0, np.int64),
    features=np.zeros(0, np.int64),
    thresholds=np.zeros(0, np.float32),
    shares=np.zeros((0, 3)),
    leaves=np.zeros((0, 2), np.bool_),
    values=np.zeros((0, 2)),
    n_slots=2,
)
_compile()
