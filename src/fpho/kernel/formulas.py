"""The scalar formulas of the likelihood, written once for every backend.

Plain Python on floats: `numba.njit` compiles them for the CPU, `numba.cuda.jit(device=True)`
for a GPU. Derivation (D, M, v, C as in `fpho.kernel.arrays`; all lengths in pixels):

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

TWO_PI = 2.0 * math.pi


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
