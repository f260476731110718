"""Readers of the files of a patch."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import CircularRegion
from ..hdf5 import opened, verify
from ..parameters import q_names, wrap_degrees
from ..records import StoredRecord
from ..showing import html_table
from .apertures import Apertures
from .records import BY_SOURCE, PREFIX, HaloDraws, SamplerSettings, Summary, plain, record_of


class Samples:
    """A samples file, or the `StoredRecord` of one in a file of a pass, read into memory.

    active, fixed, final : scene rows; bands, exposures, shape_cols : lists of names
    chain : (C N, P) in the order of q, chain after chain; samples : structured (S, C N), positions in degrees
    z : (C, N, n) the sampler's coordinates, or None where no later round goes on from these draws
    chains : dict of arrays (C, N, S) by parameter (backgrounds: (C, N, E)); stats : dict of arrays (C, N)
    summary : `Summary`; settings : `SamplerSettings`; halo : `HaloDraws` or None
    apertures : `Apertures`, fluxes within circles
    flux_weight, flux_floor : (S, B) and (S,) nJy, the flux that stands for a source in `posterior.population`
    region : circle on the sky; reference : (ra, dec) in degrees; config : dict
    bounds : structured (S,); cov : (n, n) of z; metric : (n, n) or (n,) of the sampler
    optimum_z : (n,); optimum_q, final_q : (P,); chi2, n_pix : (E,)
    source_chi2, source_n_pix, source_misfit : (S,)
    attrs : dict, all attributes of the file
    """

    # read by name below
    bounds: np.ndarray
    cov: np.ndarray
    metric: np.ndarray

    def __init__(self, path):
        with open_patch(path, "population") as file:  # what came last: files of before have all but this
            self.path = path if isinstance(path, StoredRecord) else Path(path)
            attrs = dict(file.attrs)
            self.attrs = attrs
            self.active, self.fixed, self.final = (
                text_rows(file[n][:]) for n in ("active", "fixed", "final")
            )
            self.bands, self.exposures, self.shape_cols = (
                [value.decode() for value in file[name][:]] for name in ("bands", "exposures", "shape_cols")
            )
            for name in ("bounds", "cov", "chi2", "n_pix", "metric"):
                setattr(self, name, file[name][:])
            for name in (*BY_SOURCE, "optimum_z", "optimum_q", "final_q"):
                setattr(self, name, file[name][:])
            self.z: np.ndarray | None = file["z"][:] if "z" in file else None
            self.chains = _group(file["posterior"])
            self.stats = _group(file["sample_stats"])
            self.apertures = Apertures(
                *(file[f"apertures/{name}"][:] for name in ("radius", "flux", "error"))
            )
            self.flux_weight, self.flux_floor = (file[f"population/{n}"][:] for n in ("weight", "floor"))
            self.halo = _halo(file["halo"]) if "halo" in file else None
            self.region = CircularRegion(**{name: float(v) for name, v in file["region"].attrs.items()})
        self.reference = tuple(attrs["reference"])
        self.samples = by_source(self.chains, self.bands)
        self.chain = _vectors(self.samples, self.chains.get("background"), self.reference)
        self.config = json.loads(attrs["config"])
        self.settings = record_of(SamplerSettings, json.loads(attrs["sampler_settings"]))
        self.n_chains = int(attrs["n_chains"])
        self.n_draws = len(self.chain)
        values = {k.removeprefix(PREFIX): v for k, v in attrs.items() if k.startswith(PREFIX)}
        self.summary = record_of(Summary, values)

    def __repr__(self) -> str:
        return (
            f"<Samples {_name(self.path)}: {len(self.final)} sources in {', '.join(self.bands)}, "
            f"{self.n_chains} x {self.n_draws // self.n_chains} draws, R-hat {self.summary.max_rhat:.3f}, "
            f"ESS {self.summary.min_ess:.0f}>"
        )

    def _repr_html_(self) -> str:
        return html_table(repr(self), plain(self.summary))


class Residuals:
    """A residuals file, or the `StoredRecord` of one in a file of a pass.

    exposures : names; by index or name, dicts of x, y (pixel), data, residual (nJy/pixel), ierr (its inverse
    error) at the M good pixels, each (M,); position (S, 2) pixel and scale (S, 2, 2) pixel per arcsec of the
    sources; band
    """

    def __init__(self, path):
        with open_patch(path, "exposures") as file:
            self.path = path if isinstance(path, StoredRecord) else Path(path)
            self.exposures = [value.decode() for value in file["exposures"][:]]
            self._data = {
                name: {key: item[:] for key, item in file[name].items()} | {"band": file[name].attrs["band"]}
                for name in self.exposures
            }

    def __getitem__(self, exposure) -> dict:
        return self._data[self.exposures[exposure] if isinstance(exposure, int) else exposure]

    def __len__(self) -> int:
        return len(self.exposures)

    def __repr__(self) -> str:
        return f"<Residuals {_name(self.path)}: {len(self)} exposures>"

    def _repr_html_(self) -> str:
        pixels = {name: f"{one['band']}, {len(one['x'])} pixels" for name, one in self._data.items()}
        return html_table(repr(self), pixels)


def read_draws(path) -> np.ndarray:
    """Draws of a samples file by source, structured (S, C N), chain after chain, positions in degrees."""
    with open_patch(path, "posterior") as file:
        return by_source(_group(file["posterior"]), [value.decode() for value in file["bands"][:]])


def by_source(chains: dict, bands) -> np.ndarray:
    """Structured (S, C N) of arrays (C, N, S) by parameter."""
    names = q_names(bands)
    n_sources = chains[names[0]].shape[-1]
    out = np.zeros((n_sources, chains[names[0]][..., 0].size), [(name, "f8") for name in names])
    for name in names:
        out[name] = chains[name].reshape(-1, n_sources).T
    return out


def _vectors(samples, backgrounds, reference) -> np.ndarray:
    """Draws (C N, P) in the order of q: positions from a reference (ra, dec) in degrees."""
    own = samples.copy()
    own["ra"] = wrap_degrees(own["ra"] - reference[0])
    own["dec"] -= reference[1]
    values = np.stack([own[name] for name in own.dtype.names], axis=-1)  # (S, C N, parameters)
    vectors = values.transpose(1, 0, 2).reshape(samples.shape[1], -1)
    if backgrounds is None:
        return vectors
    return np.concatenate([vectors, backgrounds.reshape(samples.shape[1], -1)], axis=1)


def _name(path: Path | StoredRecord) -> str:
    return path.key if isinstance(path, StoredRecord) else path.name


def open_patch(path, needed: str):
    """An open HDF5 file of a patch, given its path or its `StoredRecord`.

    Raises
    ------
    InputError
        If there is none, or it is another kind of file.
    """
    import h5py

    if not isinstance(path, StoredRecord):
        if not Path(path).is_file():
            raise InputError(path, "no such file", "Run the sampling first")
        verify(path, ours=True)
    try:
        file = opened(path.read()) if isinstance(path, StoredRecord) else h5py.File(path, "r")
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
    out = np.zeros(len(rows), _one_of(np.dtype(dtype)))
    for name in rows.dtype.names:
        values = rows[name]
        out[name] = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    return out


@lru_cache(maxsize=16)
def _one_of(dtype: np.dtype) -> np.dtype:
    """The first of equal dtypes: one takes 12 kB, which each row that is kept of a file would hold."""
    return dtype


def _halo(group) -> HaloDraws:
    values = {name: group[name][:] for name in ("rows", "bounds", "z", "metric")}
    return HaloDraws(**values | {"rows": text_rows(values["rows"])})


def _group(group) -> dict:
    """Variables of a group, without its dimensions."""
    return {name: item[:] for name, item in group.items() if not item.is_scale}
