"""How much of the light of a patch's sources lies where the patch has no pixels."""

import numpy as np

from ..kernel.arrays import SourceArrays
from ..parameters import error_col
from ..sersic.profile import information_beyond, radius_of

SHARE = 0.01  # of a source's light that may lie outside
SEEN_AS = 2.0  # S/N that the light outside would have at least, for pixels there to tell more
BLUR = 0.6  # pixel; sums over pixels are then right for undersampled PSFs
SEEN = 0.05  # of a point source's light without which an exposure says nothing
FULL = 32  # good pixels with which a tile counts as a whole: single bad pixels are no edge


def light_outside(model, q) -> np.ndarray:
    """(S, B) part of each source's light beyond the pixels of the patch, at a vector q.

    What a point source at the same place would lose is taken out: the PSF's own wings are known. The exposure
    of a band that holds most counts; 0 where none holds the source (flags say that otherwise).
    """
    arrays, parts = model.arrays, model.plan.components
    n_bands = len(model.bands)
    state, _ = model.state(model.transform.inverse_transform(q))
    covered = _covered(arrays.weight)
    lost = np.zeros((arrays.n_exposures, len(parts.source)))
    for n in range(len(parts.source)):
        pixel = np.mean(np.abs(np.linalg.det(arrays.scale[:, n]))) ** -0.5 if arrays.n_exposures else 1.0
        alone = _blurred_point(n_bands, pixel), _blurred(state, n, n_bands, pixel)
        seen, held = (_inside(model, n, covered, *one) for one in alone)
        with np.errstate(divide="ignore", invalid="ignore"):
            lost[:, n] = np.where(seen > SEEN, np.clip(1 - held / seen, 0, 1), np.nan)
    weight = np.abs(state.sources[:, :n_bands]) + 1e-30
    out = np.zeros((len(parts.first), n_bands))
    for b in range(n_bands):
        of_band = lost[arrays.band == b]
        some = np.isfinite(of_band).any(axis=0) if len(of_band) else np.zeros(lost.shape[1], bool)
        best = np.zeros(lost.shape[1])
        if some.any():
            best[some] = np.nanmin(of_band[:, some], axis=0)
        for s in range(len(out)):
            own = parts.source == s
            out[s, b] = np.average(best[own], weights=weight[own, b])
    return out


def too_much_outside(outside, rows, bands) -> np.ndarray:
    """(S,) whether light outside (S, B) counts: more than SHARE, and bright enough to be seen.

    rows : scene rows (S,) with fluxes and their errors
    """
    index = np.where(rows["is_point"], 1.0, rows["sersic"])
    counts = np.zeros(len(rows), bool)
    for part, band in zip(outside.T, bands, strict=True):
        seen = information_beyond(radius_of(1 - np.maximum(part, SHARE), index), index)
        with np.errstate(divide="ignore", invalid="ignore"):
            snr = np.abs(rows[band]) / rows[error_col(band)] * np.sqrt(seen)
        counts |= (part > SHARE) & ~(snr < SEEN_AS)
    return counts


def _covered(weight) -> np.ndarray:
    """(T, 64) whether a pixel counts as one of the patch."""
    good = weight > 0
    return good | (good.sum(axis=1) >= FULL)[:, None]


def _blurred(state, n: int, n_bands: int, pixel: float):
    """(sources, profile, count) of component n with flux 1, a little wider; `pixel` in arcsec."""
    sources, profile = state.sources[n : n + 1].copy(), state.profile[n : n + 1].copy()
    sources[:, :n_bands] = 1.0
    profile[..., 1] += (BLUR * pixel) ** 2
    return sources, profile, state.profile_count[n : n + 1]


def _blurred_point(n_bands: int, pixel: float):
    """The same for a point at the reference position."""
    sources = np.array([[*[1.0] * n_bands, 0, 0, 1, 1, 0, 1, 0]], "f8")
    return sources, np.array([[[1.0, (BLUR * pixel) ** 2, 0, 0, 0, 0]]]), np.ones(1, np.int32)


def _inside(model, n: int, covered, sources, profile, count) -> np.ndarray:
    """(E,) sum over the patch's pixels of a model of flux 1 at the place of component n."""
    names = ("position", "scale", "gain", "psf_index")
    there = {name: np.ascontiguousarray(getattr(model.arrays, name)[:, n : n + 1]) for name in names}
    arrays = model.arrays.with_fields(**there)
    blank = np.zeros(arrays.n_exposures)
    image = model.kernel.model(arrays, SourceArrays(sources, profile, count, blank))
    by_tile = np.where(covered, image, 0).sum(axis=1, dtype="f8")
    sums = np.add.reduceat(by_tile, arrays.exposure_start[:-1]) if len(by_tile) else blank
    return sums / arrays.gain[:, 0]
