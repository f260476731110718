"""Gaussians at pixels that lie anywhere, in vectors of float32: their sum, and six sums of each; compiled.

Places are relative to the source, so that float32 holds them to a millionth of a pixel. A Gaussian with
d = (dx, dy) from its centre is exp(-(hxx dx^2 + hxy dx dy + hyy dy^2)), with hxx = Fxx / 2, hxy = Fxy and
hyy = Fyy / 2.
"""

from functools import partial

from ...kernel.compiled import FUSED
from ...kernel.exponential import exponential
from ...kernel.frames import aligned_frame
from ...kernel.lanes import lane_sums
from ...kernel.vectors import LANES, load, load_one, multiply_add, store, zero
from ...machinecode import compiled

# a Gaussian in `given`: centre, halves of F, height; its sums in `sums`: 1, dx, dy, dx^2, dy^2, dx dy
GIVEN, X, Y, HXX, HXY, HYY, HEIGHT = 8, 0, 1, 2, 3, 4, 5
SUMS = 8
LEAN = {"_nrt": False, "error_model": "numpy"}  # no arrays are made, so none are counted
PART = {**LEAN, "forceinline": True}  # of every caller: arrays handed by value would cost more than the work
lean, fused = partial(compiled, **LEAN), partial(compiled, **PART, fastmath=FUSED)


@fused
def offsets(x, y, p, given, g):
    """dx and dy of LANES pixels from place p on from a Gaussian."""
    return load(x, p) - load_one(given, g + X), load(y, p) - load_one(given, g + Y)


@lean
def add_up(x, y, first, n, given, count, values, image):
    """image[:n] of Gaussians with their heights; keeps each one's values without, n in a row, in `values`.

    x, y : pixels from `first` on; n is a multiple of LANES
    """
    aligned_frame()
    for p in range(0, n, LANES):
        total = zero()
        for k in range(count):
            g = GIVEN * k
            dx, dy = offsets(x, y, first + p, given, g)
            q = dx * (load_one(given, g + HXX) * dx + load_one(given, g + HXY) * dy)
            e = exponential(-(q + load_one(given, g + HYY) * dy * dy))
            store(values, n * k + p, e)
            total = multiply_add(e, zero() + load_one(given, g + HEIGHT), total)
        store(image, p, total)


@lean
def sum_slopes(x, y, first, n, given, count, values, slope, sums):
    """The sums over pixels of slope E, and of that times dx, dy, dx^2, dy^2 and dx dy, of each Gaussian.

    x, y, slope : pixels from `first` on
    """
    aligned_frame()
    for k in range(count):
        m0, mx, my, mxx, myy, mxy = zero(), zero(), zero(), zero(), zero(), zero()
        for p in range(0, n, LANES):
            dx, dy = offsets(x, y, first + p, given, GIVEN * k)
            r = load(slope, first + p) * load(values, n * k + p)
            rx, ry = r * dx, r * dy
            m0, mx, my = m0 + r, mx + rx, my + ry
            mxx, myy = multiply_add(rx, dx, mxx), multiply_add(ry, dy, myy)
            mxy = multiply_add(rx, dy, mxy)
        store(sums, SUMS * k, lane_sums(m0, mx, my, mxx, myy, mxy, zero(), zero()))


@fused
def eight(array, place, step, p):
    """LANES elements from p on of each of eight rows, `step` apart."""
    at = place + p
    return (
        load(array, at), load(array, at + step), load(array, at + 2 * step), load(array, at + 3 * step),
        load(array, at + 4 * step), load(array, at + 5 * step), load(array, at + 6 * step),
        load(array, at + 7 * step),
    )  # fmt: skip


@fused
def less_sums(slope, at, t):
    """slope[at:at + 8] less the sums over the lanes of eight vectors."""
    store(slope, at, load(slope, at) - lane_sums(t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]))


@fused
def added(t, r, v):
    """Eight vectors with those of r times v added."""
    return (
        multiply_add(r[0], v, t[0]), multiply_add(r[1], v, t[1]), multiply_add(r[2], v, t[2]),
        multiply_add(r[3], v, t[3]), multiply_add(r[4], v, t[4]), multiply_add(r[5], v, t[5]),
        multiply_add(r[6], v, t[6]), multiply_add(r[7], v, t[7]),
    )  # fmt: skip


@lean
def take_own(products, place, value, at, n, slope):
    """Takes G v of a symmetric block (n, n) off slope[at:at + n], v = value[at:at + n]."""
    aligned_frame()
    for i in range(0, n, LANES):
        t = zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()
        for p in range(0, n, LANES):
            t = added(t, eight(products, place + n * i, n, p), load(value, at + p))
        less_sums(slope, at + i, t)


@lean
def take_both(products, place, value, at, n, other, m, slope):
    """Takes off both slopes what a block (n, m) of G makes of the values at `at` and at `other`."""
    aligned_frame()
    for i in range(0, n, LANES):
        t = zero(), zero(), zero(), zero(), zero(), zero(), zero(), zero()
        for p in range(0, m, LANES):
            r = eight(products, place + m * i, m, p)
            t = added(t, r, load(value, other + p))
            k = at + i
            here = r[0] * load_one(value, k) + r[1] * load_one(value, k + 1) + r[2] * load_one(value, k + 2)
            here = here + r[3] * load_one(value, k + 3) + r[4] * load_one(value, k + 4)
            here = here + r[5] * load_one(value, k + 5) + r[6] * load_one(value, k + 6)
            store(slope, other + p, load(slope, other + p) - (here + r[7] * load_one(value, k + 7)))
        less_sums(slope, at + i, t)


@lean
def scaled_less(factor, image, middle, first, n, out):
    """out[first:first + n] = factor image[:n] - middle[first:first + n]."""
    for p in range(0, n, LANES):
        store(out, first + p, factor * load(image, p) - load(middle, first + p))
