"""Readers of the files of a patch."""

import json
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import CircularRegion


class Samples:
    """A samples file, read into memory.

    active, fixed, final : scene rows; bands, exposures, shape_cols : lists of names
    chain : (C N, P) in the order of q, chain after chain; samples : structured (S, C N)
    chains : dict of arrays (chain, draw, source) by parameter; stats : dict of arrays (chain, draw)
    summary : dict; region : circle on the sky; reference : (ra, dec) in degrees
    halo : dict of rows, bounds, z (C, N, ndim), metric: what later rounds go on from, or empty
    bounds; cov (of z); chi2, n_pix (E,); source_chi2, source_n_pix (S,)
    """

    def __init__(self, path):
        with open_patch(path, "chain") as file:
            self.path = Path(path)
            attrs = dict(file.attrs)
            self.attrs = attrs
            self.active, self.fixed, self.final = (
                text_rows(file[n][:]) for n in ("active", "fixed", "final")
            )
            self.bands, self.exposures, self.shape_cols = (
                [value.decode() for value in file[name][:]] for name in ("bands", "exposures", "shape_cols")
            )
            for name in ("chain", "samples", "z", "bounds", "cov", "chi2", "n_pix", "metric"):
                setattr(self, name, file[name][:])
            for name in ("source_chi2", "source_n_pix", "optimum_z", "optimum_q", "final_q"):
                setattr(self, name, file[name][:])
            self.chains = _group(file["posterior"])
            self.stats = _group(file["sample_stats"])
            self.halo = {name: item[:] for name, item in file["halo"].items()} if "halo" in file else {}
            if self.halo:
                self.halo["rows"] = text_rows(self.halo["rows"])
            self.region = CircularRegion(**{name: float(v) for name, v in file["region"].attrs.items()})
        self.reference = tuple(attrs["reference"])
        self.config = json.loads(attrs["config"])
        self.settings = json.loads(attrs["sampler_settings"])
        self.n_chains = int(attrs["n_chains"])
        self.n_draws = len(self.chain)
        prefix = "summary_"
        self.summary = {k.removeprefix(prefix): v for k, v in attrs.items() if k.startswith(prefix)}


class Residuals:
    """A residuals file: `exposures`; by index or name, dicts of
    x, y, data, ierr, residual, position, scale."""

    def __init__(self, path):
        with open_patch(path, "exposures") as file:
            self.path = Path(path)
            self.exposures = [value.decode() for value in file["exposures"][:]]
            self._data = {
                name: {key: item[:] for key, item in file[name].items()} | {"band": file[name].attrs["band"]}
                for name in self.exposures
            }

    def __getitem__(self, exposure) -> dict:
        return self._data[self.exposures[exposure] if isinstance(exposure, int) else exposure]

    def __len__(self) -> int:
        return len(self.exposures)


def open_patch(path, needed: str):
    """An open HDF5 file of a patch.

    Raises
    ------
    InputError
        If there is none, or it is another kind of file.
    """
    import h5py

    if not Path(path).is_file():
        raise InputError(path, "no such file", "Run the sampling first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(path, f"not an HDF5 file ({error})", "Give a file of a patch") from None
    if needed not in file:
        file.close()
        raise InputError(
            path, f"no dataset {needed!r} in it", "Give the samples or residuals file of a patch"
        )
    return file


def text_rows(rows: np.ndarray) -> np.ndarray:
    """Scene rows with bytes as text."""
    dtype = [(name, "U32" if kind.kind == "S" else kind) for name, (kind, *_) in rows.dtype.fields.items()]
    out = np.zeros(len(rows), dtype)
    for name in rows.dtype.names:
        values = rows[name]
        out[name] = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    return out


def _group(group) -> dict:
    """Variables of a group, without its dimensions."""
    return {name: item[:] for name, item in group.items() if not item.is_scale}
