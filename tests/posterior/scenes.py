"""Small patches without files: a grid of exposures, a two-Gaussian PSF, data from the reference model."""

from dataclasses import replace

import numpy as np

from fpho.bounds import make_bounds
from fpho.kernel.arrays import PatchArrays
from fpho.parameters import scene_dtype
from fpho.patch import source_state
from fpho.sersic import load_table

from ..reference import chi2, model

TABLE = load_table()
RA, DEC = 53.1, -27.8
PSF = np.array([[0.75, 0, 0, 1.4, 1.3, 0.05], [0.25, 0.05, 0, 7.0, 7.5, -0.2]])


def make_rows(bands, *sources):
    """Scene rows: dicts of values, `offset` in arcsec (east, north)."""
    rows = np.zeros(len(sources), scene_dtype(bands))
    for i, (row, source) in enumerate(zip(rows, sources, strict=True)):
        values = {"q": 0.8, "pa": 0.5, "sersic": 1.5, "rhalf": 0.2, "roi": 1.0, "is_valid": True}
        values |= {"source_index": i, "id": f"s{i}", **{f"{b}_err": np.nan for b in bands}, **source}
        east, north = values.pop("offset", (0.0, 0.0))
        for name, value in values.items():
            row[name] = value
        row["ra"] = RA + east / 3600 / np.cos(np.radians(DEC))
        row["dec"] = DEC + north / 3600
    return rows


def make_arrays(
    rows, bands, *, size=48, scale=0.06, n_exposures=None, sigma=1.0, angle=0.3, seed=0, noise=1.0
):
    """Patch of size x size pixels (multiples of 8), rotated and dithered, reference data plus noise."""
    n_exposures = n_exposures or len(bands)
    y, x = np.mgrid[0:size:8, 0:size:8].reshape(2, -1).astype("i4")
    n_tiles = len(x)
    east = (rows["ra"] - RA) * np.cos(np.radians(rows["dec"])) * 3600
    sky = np.stack([east, (rows["dec"] - DEC) * 3600], axis=-1)
    position, scales = [], []
    for e in range(n_exposures):
        turn = angle * e
        D = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
        position.append(sky @ D.T + size / 2 - 0.5 + 0.21 * e)
        scales.append(np.broadcast_to(D, (len(rows), 2, 2)))
    weight = np.full((n_tiles * n_exposures, 64), sigma**-2.0, "f4")
    arrays = PatchArrays(
        data=np.zeros_like(weight),
        weight=weight,
        tile_x=np.tile(x, n_exposures),
        tile_y=np.tile(y, n_exposures),
        exposure_start=np.arange(n_exposures + 1, dtype="i8") * n_tiles,
        band=(np.arange(n_exposures) % len(bands)).astype("i4"),
        position=np.array(position).reshape(n_exposures, len(rows), 2),
        scale=np.ascontiguousarray(scales).reshape(n_exposures, len(rows), 2, 2),
        gain=np.ones((n_exposures, len(rows))),
        psf_index=np.zeros((n_exposures, len(rows)), "i4"),
        psf=PSF[None],
        psf_count=np.array([2], "i4"),
    )
    noise = noise * sigma * np.random.default_rng(seed).standard_normal(weight.shape)
    arrays.data[:] = model(arrays, source_state(rows, bands, TABLE, n_exposures)) + noise
    return arrays


def wide_bounds(rows, bands, **limits):
    """Default bounds, with some replaced by the same (lower, upper) for all sources."""
    bounds = make_bounds(rows, bands)
    for name, limit in limits.items():
        bounds[name] = limit
    return bounds


def zero_weight(arrays):
    """The same patch without any good pixel: its posterior is the prior."""
    return replace(arrays, weight=np.zeros_like(arrays.weight))


def reference_lnlike(model, z):
    """-chi2 / 2 by the slow model, of the state that the posterior hands to the kernel."""
    return -0.5 * chi2(model.arrays, model.state(z)[0]).sum()


def central_differences(model, blank, z):
    """Gradient (ndim,) of the float64 likelihood plus the prior; `blank`: the posterior without pixels."""
    out = np.zeros(model.ndim)
    for i, step in enumerate(np.eye(model.ndim) * 1e-4):
        ends = [z + k * step for k in (1, -1, 2, -2)]
        f = [reference_lnlike(model, end) + blank.lnprob(end) for end in ends]
        out[i] = (8 * (f[0] - f[1]) - (f[2] - f[3])) / 12e-4
    return out


def curvature(model, z):
    """-d gradient / dz (ndim, ndim) by differences of exact gradients."""
    steps = 1e-3 * np.eye(model.ndim)
    slopes = [(model.lnprob_and_grad(z - h)[1] - model.lnprob_and_grad(z + h)[1]) / 2e-3 for h in steps]
    return np.array(slopes)
