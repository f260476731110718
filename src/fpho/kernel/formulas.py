"""The scalar formulas of the likelihood, written once for every backend.

Plain Python on floats: `compiled_by` makes them functions of the CPU (`numba.njit`) or of a GPU
(`numba.cuda.jit(device=True)`). Derivation (D, M, v, C as in `fpho.kernel.arrays`; all lengths in pixels):

    N     = D M D^t                          the source's shape in pixels, per arcsec^2 of v
    Sigma = v N + C                          covariance of one Gaussian
    F     = Sigma^-1
    A     = flux * gain * a * b * g,         g = sqrt(det F) / 2 pi
    m(p)  = sum A exp(-d^t F d / 2),         d = p - centre
    chi2  = sum_p w_p (y_p - m_p)^2

With r = w (y - m), E = exp(-d^t F d / 2) and the six sums of one Gaussian

    M0 = sum r E   (Mx, My) = sum r E d   (Mxx, Myy, Mxy) = sum r E d d^t

the derivatives of chi2 follow from dF = -F dSigma F and d(log g) = -tr(F dSigma) / 2:

    d chi2 / dA      = -2 M0
    d chi2 / dcentre = -2 A F (Mx, My)
    d chi2 / dSigma  = -A (F Mdd F - M0 F)   (symmetric; contracted over both indices)
    d chi2 / dv      = <d chi2 / dSigma, N>
    d chi2 / dN      = v d chi2 / dSigma
    d chi2 / dM      = D^t (d chi2 / dN) D

Symmetric matrices are triples (xx, yy, xy); a gradient triple holds the matrix elements, so
that its contraction with a symmetric triple counts xy twice (`contract`).
"""

import math
from types import FunctionType, SimpleNamespace

TWO_PI = 2.0 * math.pi
MIN_RATIO = 90.0  # no Gaussian is cut within 3 sigma


def congruence(axx, axy, ayx, ayy, sxx, syy, sxy):
    """A S A^t of a matrix A and a symmetric S, as (xx, yy, xy).

    N = D M D^t; D^t G D with A = D^t; F Mdd F with A = F.
    """
    xx, xy = axx * sxx + axy * sxy, axx * sxy + axy * syy
    yx, yy = ayx * sxx + ayy * sxy, ayx * sxy + ayy * syy
    return xx * axx + xy * axy, yx * ayx + yy * ayy, xx * ayx + xy * ayy


def invert(sxx, syy, sxy):
    """F = Sigma^-1 as (xx, yy, xy), and g = sqrt(det F) / 2 pi."""
    det = sxx * syy - sxy * sxy
    inverse = 1.0 / det
    return syy * inverse, sxx * inverse, -sxy * inverse, math.sqrt(inverse) / TWO_PI


def contract(gxx, gyy, gxy, nxx, nyy, nxy):
    """<G, N> of two symmetric triples."""
    return gxx * nxx + gyy * nyy + 2.0 * gxy * nxy


def centre(x, y, dxe, dxn, dye, dyn, east, north):
    """Pixel position of a source (east, north) arcsec from its reference at (x, y)."""
    return x + dxe * east + dxn * north, y + dye * east + dyn * north


def convolved(v, nxx, nyy, nxy, cxx, cyy, cxy):
    """F of Sigma = v N + C, and g."""
    return invert(v * nxx + cxx, v * nyy + cyy, v * nxy + cxy)


def cut_radius(share, lost):
    """Sigmas beyond which a Gaussian with this share of a flux holds less than `lost` of it."""
    return math.sqrt(2.0 * math.log(max(share / lost, MIN_RATIO)))


def reach_of(cut, half, fxx, fyy, fxy):
    """Largest d^t F d of the middle of a square (its corners `half` away along x and y) within the cut."""
    return (cut + half * math.sqrt(fxx + fyy + 2.0 * abs(fxy))) ** 2


def chain(
    fxx, fyy, fxy, unit, flux, a, v, a_n, v_n, a_r, v_r, dxe, dxn, dye, dyn, mee, mnn, men,
    m0, mx, my, mxx, myy, mxy,
):  # fmt: skip
    """The six sums, brought to flux, east, north, m_ee, m_nn, m_en, sersic, rhalf.

    unit = gain b g; a_n .. v_r: derivatives of a and v by sersic (n) and rhalf (r). v d/dv of a
    Gaussian is the contraction of d/dM with M.
    """
    amp, by_unit = flux * a * unit, -2.0 * m0 * unit
    hxx, hyy, hxy = congruence(fxx, fxy, fxy, fyy, mxx, myy, mxy)
    hxx, hyy, hxy = -amp * (hxx - m0 * fxx), -amp * (hyy - m0 * fyy), -amp * (hxy - m0 * fxy)
    cx, cy = -2.0 * amp * (fxx * mx + fxy * my), -2.0 * amp * (fxy * mx + fyy * my)
    ee, nn, en = congruence(dxe, dye, dxn, dyn, hxx, hyy, hxy)
    by_a, by_v = by_unit * flux, contract(ee, nn, en, mee, mnn, men)
    return (
        by_unit * a,
        dxe * cx + dye * cy,
        dxn * cx + dyn * cy,
        v * ee,
        v * nn,
        2.0 * v * en,
        by_a * a_n + by_v * v_n,
        by_a * a_r + by_v * v_r,
    )


FORMULAS = (congruence, invert, contract, centre, convolved, cut_radius, reach_of, chain)


def compiled_by(decorate) -> SimpleNamespace:
    """All formulas, each compiled by a decorator and calling the others in their compiled form."""
    made = {"__name__": __name__, "math": math, "TWO_PI": TWO_PI, "MIN_RATIO": MIN_RATIO}
    for formula in FORMULAS:
        made[formula.__name__] = decorate(FunctionType(formula.__code__, made, formula.__name__))
    return SimpleNamespace(**{formula.__name__: made[formula.__name__] for formula in FORMULAS})
