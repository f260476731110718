"""Patchers: where pixels come from (FITS files, stores, memory), and the way to a posterior.

    class Patcher(FITSPatch, CPUPatchMixin):
        pass

    patcher = Patcher(fitsfiles=names, psfstore="psfs.h5", splinedata="default", sci_ext=1, unc_ext=2)
    patcher.build_patch(region, None, allbands=bands)
    model, q = patcher.prepare_model(active=active, fixed=fixed, bounds=bounds, shapes=shape_cols)

`prepare_model` changes nothing in the patcher: fixed sources are subtracted into new arrays.
"""

import os
import warnings
from typing import Any

import numpy as np

from ..background.table import read_tweakbg
from ..bounds import make_bounds
from ..config import Bounds
from ..errors import InputError
from ..geometry import linearize
from ..images import open_store, read_fits
from ..parameters import SHAPE_COLS, first_position, q_names, source_vector
from ..psf import PSFStore
from ..sersic import load_table
from .backends import require_gpu
from .building import PlacedSources, place_sources
from .misfit import widen_by_misfit
from .neighbours import Neighbours
from .noise import flux_noises
from .pixels import weighted_arrays
from .subtracting import subtract_remainder, subtract_sources
from .tiles import select_tiles


class _Patch:
    """What all patchers share. A subclass has `_exposures(region, bands)`, an iterable of pixels.

    After `build_patch`: `bands`; `patch_reference_coordinates`, (ra, dec) in degrees; `exposures`, ids in
    order; `band_N` (B,), exposures in each band; `exposure_N` (E,), good pixels in each exposure; `xpix`,
    `ypix` (sum of exposure_N,), their zero-indexed positions, exposure by exposure; `middles` (E,), where the
    region's centre is in each exposure, with the local linear WCS (see `linearize`).
    """

    def __init__(
        self,
        psfstore,
        splinedata="default",
        *,
        return_residual: bool = False,
        max_snr: float | None = None,
        tweakbg=None,
        interpolation: str = "nearest",
        remainder: bool = True,
    ):
        """
        Parameters
        ----------
        psfstore : `PSFStore`, or the path of one
        splinedata : Sersic table, or the path of one, or `default`
        return_residual : kept for callers who ask for residuals; the model always gives them
        max_snr : cap on the S/N per pixel
        tweakbg : table of backgrounds to subtract, or the path of one
        interpolation : PSF between detector positions, `nearest` or `linear`
        remainder : take off the data what the PSF mixtures leave of the sources' light, at the values that
            `prepare_model` gets; not where these are a first guess
        """
        self.psfstore = psfstore if hasattr(psfstore, "mixture") else PSFStore(psfstore)
        self.table = splinedata if hasattr(splinedata, "evaluate") else load_table(splinedata)
        self.return_residual = return_residual
        self.max_snr = max_snr
        self.tweakbg = read_tweakbg(tweakbg) if isinstance(tweakbg, str | os.PathLike) else tweakbg
        self.interpolation, self.remainder = interpolation, remainder

    @property
    def whole(self) -> bool:
        """Whether models are drawn with the whole PSF: nothing that mixtures leave is in the residuals."""
        return self.remainder or not self.psfstore.has_remainders()

    def build_patch(self, region, sources=None, allbands=None) -> None:
        """Collect the pixels of a region, those in the circle, from the exposures of `allbands`.

        `sources` is not used here: sources are given to `prepare_model`. Exposures without a good pixel in
        the region are left out; a patch without any has no exposures, and its posterior is the prior.
        """
        self.bands = tuple(self._all_bands() if allbands is None else allbands)
        self.region = region
        self.patch_reference_coordinates = (region.ra, region.dec)
        self.tiles = select_tiles(
            self._exposures(region, self.bands),
            region,
            self.bands,
            max_snr=self.max_snr,
            tweakbg=self.tweakbg,
        )
        if not self.tiles:
            where = f"patch at ra {region.ra:.6f}, dec {region.dec:.6f}"
            warnings.warn(f"{where}: no good pixel in any exposure of {', '.join(self.bands)}", stacklevel=2)
        self.exposures = [one.id for one in self.tiles]
        self.middles = [linearize(one.wcs, region.ra, region.dec) for one in self.tiles]
        self.band_N = np.array([sum(one.band == band for one in self.tiles) for band in self.bands])
        good = [one.ierr > 0 for one in self.tiles]
        self.exposure_N = np.array([np.count_nonzero(mask) for mask in good], int)
        self.xpix, self.ypix = (self._flat(good, axis) for axis in (0, 1))

    def _flat(self, good, axis) -> np.ndarray:
        parts = [one.pixels[axis][mask] for one, mask in zip(self.tiles, good, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0, int)

    def _exposures(self, region, bands):
        return self._pixels

    def _all_bands(self):
        return list(dict.fromkeys(one.band for one in self._pixels))


class DirectPatch(_Patch):
    """Pixels given in memory: a list of `fpho.images.Exposure` (or of their tiles)."""

    def __init__(self, exposures, psfstore, splinedata="default", **options):
        super().__init__(psfstore, splinedata, **options)
        self._pixels = list(exposures)


class FITSPatch(_Patch):
    """Pixels from plain FITS files, each with a science and an uncertainty extension.

    The band is the FILTER keyword. Images are read when the first patch is built, and kept.
    """

    def __init__(
        self, fitsfiles, psfstore, splinedata="default", sci_ext="SCI", unc_ext="ERR", reader=None, **options
    ):
        """`fitsfiles`: one path or several; `sci_ext`, `unc_ext`: names or indices of extensions; `reader`:
        keywords for `fpho.images.read_fits`, such as `unc_kind` or `flux_scale`; rest: see `_Patch`."""
        super().__init__(psfstore, splinedata, **options)
        single = isinstance(fitsfiles, str | os.PathLike)
        self.fitsfiles = [fitsfiles] if single else list(fitsfiles)
        self._reader = {"sci_ext": sci_ext, "unc_ext": unc_ext, **(reader or {})}
        self._read = None

    @property
    def _pixels(self):
        if self._read is None:
            self._read = [read_fits(path, **self._reader) for path in self.fitsfiles]
        return self._read


class StorePatch(_Patch):
    """Pixels from one or several pixel stores with their meta stores; only the region's tiles are read."""

    def __init__(self, pixelstore, metastore, psfstore, splinedata="default", registration=None, **options):
        """`registration`: pixels (x, y) by exposure that WCS are moved by, see `fpho.registration`."""
        super().__init__(psfstore, splinedata, **options)
        pairs = zip(_several(pixelstore), _several(metastore), strict=True)
        self._stores = [open_store(pixels, meta, registration) for pixels, meta in pairs]

    @classmethod
    def on(cls, stores, psfstore, splinedata="default", **options):
        """A patcher on stores that are open already (`fpho.images.open_store`), which it shares."""
        patcher = cls([], [], psfstore, splinedata, **options)
        patcher._stores = list(stores)
        return patcher

    def _exposures(self, region, bands):
        for store in self._stores:
            for name in store.near(region):
                if store.band(name) in bands:
                    yield store.tiles(name, region)

    def _all_bands(self):
        return list(dict.fromkeys(store.band(name) for store in self._stores for name in store.ids))


class CPUPatchMixin:
    """The way from pixels to a posterior on the CPU."""

    backend = "cpu"
    # what a patcher that this is mixed into has
    bands: tuple[str, ...]
    tiles: Any
    exposures: list[str]
    middles: list[tuple[np.ndarray, np.ndarray]]
    psfstore: PSFStore
    table: Any
    interpolation: str
    remainder: bool
    patch_reference_coordinates: tuple[float, float]

    def prepare_model(
        self,
        active,
        fixed=None,
        bounds=None,
        shapes=SHAPE_COLS,
        priors=None,
        in_fit_background: bool = False,
        jitter: float = 0.0,
        **options,
    ):
        """(model, q): the posterior of the active sources, and their vector of parameters.

        Parameters
        ----------
        active, fixed : scene rows (S,); fixed ones are subtracted from the data at their present values
        bounds : structured (S,) of (lower, upper), see `fpho.posterior`; those of `make_bounds` when None
        shapes : names of the shape parameters, in order; always those of `fpho.parameters`
        priors : `fpho.config.Priors`
        in_fit_background : fit one constant (nJy per pixel) of each exposure; they stand at the end of q
        jitter : part of a source's light by which its model may be wrong, see `fpho.patch.misfit`
        options : further keywords for `Posterior`
        """
        active = _with_bands(active, self.bands, shapes)
        sources = self.place(active)
        arrays = weighted_arrays(self.tiles, self.bands, sources)
        if bounds is None:
            noises = flux_noises(arrays, sources)
            bounds = make_bounds(active, self.bands, None, self._coarsest_pixel(), *noises)
        fixed = active[:0] if fixed is None else _with_bands(fixed, self.bands, shapes)
        fixed = fixed[fixed["is_valid"]]
        if jitter:
            places = [np.stack(first_position(rows), axis=-1) for rows in (active, fixed)]
            arrays = widen_by_misfit(arrays, self.tiles, np.concatenate(places), jitter)
        others = self.place(fixed)
        arrays = subtract_sources(arrays, others, self.backend)
        if self.remainder:
            arrays = subtract_remainder(arrays, self.tiles, (sources, others), self.psfstore, self.bands)
        if priors is not None:
            options["priors"] = priors
        from ..posterior import Posterior  # compiles the likelihood; rendering does without

        model = Posterior(
            arrays,
            active,
            self.bands,
            self.table,
            bounds,
            reference=self.patch_reference_coordinates,
            backend=self.backend,
            in_fit_background=in_fit_background,
            exposures=self.exposures,
            **options,
        )
        q = source_vector(active, self.bands, self.patch_reference_coordinates)
        sky = np.zeros(len(self.tiles) if in_fit_background else 0)
        return model, np.concatenate([q, sky])

    def place(self, rows) -> PlacedSources:
        """Scene rows (S,) on the patch's exposures."""
        return place_sources(self.tiles, rows, self.psfstore, self.bands, self.table, self.interpolation)

    def around(self, model, rows, draws) -> Neighbours:
        """A posterior that none of some neighbours is subtracted from, given draws of them.

        rows : scene rows (S,); what PSF mixtures leave of their light is taken off at the values there
        draws : structured (S, C, N), absolute positions in degrees
        """
        sources = self.place(rows)
        if self.remainder and self.psfstore.has_remainders():
            arrays = subtract_remainder(model.arrays, self.tiles, [sources], self.psfstore, self.bands)
            model = model.with_data(arrays.data)
        return Neighbours(model, sources, rows, draws)

    def make_bounds(self, active, options: Bounds | None = None) -> np.ndarray:
        """`fpho.make_bounds` of scene rows (S,) with the pixel scale and the noise of the patch's images.

        A catalog may say nothing of its errors, or too little: flux bounds that are not wide against the
        noise would hold the fluxes and make their errors too small.
        """
        active = _with_bands(active, self.bands, SHAPE_COLS)
        sources = self.place(active)
        noises = flux_noises(weighted_arrays(self.tiles, self.bands, sources), sources)
        return make_bounds(active, self.bands, options, self._coarsest_pixel(), *noises)

    def _coarsest_pixel(self) -> float | None:
        """Largest pixel (arcsec) of the exposures, None without any."""
        return max((1 / np.sqrt(abs(np.linalg.det(scale[0]))) for _, scale in self.middles), default=None)


class GPUPatchMixin(CPUPatchMixin):
    """The way from pixels to a posterior on a GPU; stops at once where there is none."""

    backend = "gpu"

    def prepare_model(self, *args, **options):
        """As that of `CPUPatchMixin`."""
        require_gpu()
        return super().prepare_model(*args, **options)


def _several(paths) -> list:
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def _with_bands(rows, bands, shapes):
    if tuple(shapes) != SHAPE_COLS:
        found = f"shapes {tuple(shapes)} are not the model's"
        raise InputError("prepare_model", found, f"Give {SHAPE_COLS}, which is the scene's shape_cols")
    missing = [name for name in q_names(bands) if name not in rows.dtype.names]
    if missing:
        cure = "Give rows of a scene that was made with the bands of build_patch"
        raise InputError("prepare_model", f"the sources lack {', '.join(missing)}", cure)
    return rows
