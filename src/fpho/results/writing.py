"""Files of a patch: samples, laid out so that ArviZ opens them, and residuals."""

import json
from pathlib import Path

import numpy as np

from .. import __version__
from ..geometry import tile_pixels
from ..hdf5 import create
from ..layout import Layout
from ..parameters import SHAPE_COLS, q_names
from .record import Result
from .records import BY_SOURCE, PREFIX, plain

ID_BYTES = "S128"  # 32 characters of at most 4 bytes
PACKED = {"compression": "gzip", "shuffle": True}  # which every reader of netCDF knows
PLACES = ("ra", "dec")  # degrees on the sky: more digits than a float32 has


def write_to_disk(result: Result, outroot, model, config=None) -> list[Path]:
    """Write the samples file and the residuals file of a filled result under a run's folder; their paths."""
    layout, number = Layout(Path(outroot)), result.patch.number or 0
    paths = [layout.samples(number), layout.residuals(number)]
    write_samples(paths[0], result, model, config)
    write_residuals(paths[1], result, model)
    return paths


def write_samples(path, result: Result, model, config=None, **more) -> None:
    """Everything about the draws of a patch (HDF5), which `reading.Samples` reads; see `fill_samples`."""
    with create(path, latest=True) as file:
        fill_samples(file, result, model, config, **more)


def fill_samples(file, result: Result, model, config=None, task: str = "", goes_on: bool = True) -> None:
    """Write everything about the draws of a patch into an HDF5 file that is empty.

    Draws are there once, in the group `posterior`: float32, positions float64.

    task : hash of all that they depend on, the same as in the log of the pass
    goes_on : a later round may go on from these draws, so the sampler's coordinates are kept, too
    """
    import h5py

    patch = result.patch
    file.attrs.update(_attributes(result, model, config) | {"task": task})
    region = file.create_group("region")
    for name in ("ra", "dec", "radius"):
        region.attrs[name] = float(getattr(patch.region, name))
    for name in ("active", "fixed", "final"):
        file[name] = plain_rows(getattr(patch, name))
    texts = {"bands": model.bands, "shape_cols": SHAPE_COLS, "exposures": model.exposures}
    for name, values in texts.items():
        file.create_dataset(name, data=list(values), dtype=h5py.string_dtype())
    for name in ("bounds", "final_q", "cov", "chi2", "n_pix", *BY_SOURCE):
        file[name] = getattr(patch, name)
    term = model.population or model.population_term()
    for name in ("weight", "floor"):
        file[f"population/{name}"] = getattr(term, name)
    for name in ("radius", "flux", "error"):
        file[f"apertures/{name}"] = getattr(patch.apertures, name)
    file["metric"], file["optimum_z"], file["optimum_q"] = result.cov, result.optimum_z, result.optimum_q
    if goes_on:
        _write_coordinates(file, result)
    _write_groups(file, result, model)


def _write_coordinates(file, result: Result) -> None:
    """What a later round goes on from: coordinates in full, of own sources and of the halo."""
    file.create_dataset("z", data=result.z, **PACKED)
    if result.halo is not None:
        halo = file.create_group("halo")
        halo["rows"] = plain_rows(result.halo.rows)
        for name in ("bounds", "metric"):
            halo[name] = getattr(result.halo, name)
        halo.create_dataset("z", data=result.halo.z, **PACKED)


def _attributes(result: Result, model, config) -> dict:
    text = config if isinstance(config, str) else "{}"
    if hasattr(config, "model_dump_json"):
        text = config.model_dump_json()
    elif isinstance(config, dict):
        text = json.dumps(config)
    out = {
        "fpho_version": __version__,
        "config": text,
        "priors": model.priors.model_dump_json(),
        "seed": result.seed,
        "patch": -1 if result.patch.number is None else int(result.patch.number),
        "ncall": result.ncall,
        "ncall_warmup": result.ncall_warmup,
        "wall_time": result.wall_time,
        "kernel": model.backend,
        "sampler": result.sampler,
        "sampler_settings": json.dumps(plain(result.settings)),
        "reference": np.array(model.reference),
        "n_chains": result.n_chains,
        "optimum_lnp": result.optimum_lnp,
        "in_fit_background": model.in_fit_background,
    }
    return out | {f"{PREFIX}{name}": value for name, value in plain(result.summary).items()}


def _write_groups(file, result: Result, model) -> None:
    """Groups `posterior` and `sample_stats` with the dimensions of netCDF."""
    shape, samples = (result.n_chains, -1), result.structured(model)
    parameters = {
        name: (samples[name].T.reshape(*shape, len(samples)), ("chain", "draw", "source"))
        for name in q_names(model.bands)
    }
    n_sky = len(model.plan.sky_unit)
    if n_sky:
        constants = result.chain[:, -n_sky:].reshape(*shape, n_sky)
        parameters["background"] = (constants, ("chain", "draw", "exposure"))
    _write_group(file.create_group("posterior"), parameters)
    _write_group(
        file.create_group("sample_stats"), {name: (v, ("chain", "draw")) for name, v in result.stats.items()}
    )


def _write_group(group, variables) -> None:
    for values, dimensions in variables.values():
        for name, size in zip(dimensions, values.shape, strict=True):
            if name not in group:
                group.create_dataset(name, data=np.arange(size, dtype="i4"), **PACKED)
                group[name].make_scale(name)
    for name, (values, dimensions) in variables.items():
        group.create_dataset(name, data=np.asarray(values, _stored(name, values.dtype)), **PACKED)
        for axis, dimension in enumerate(dimensions):
            group[name].dims[axis].attach_scale(group[dimension])


def _stored(name: str, kind: np.dtype) -> str:
    """How values of a kind are stored: with the digits that draws have."""
    if name in PLACES:
        return "f8"
    return {"b": "i1", "i": "i4", "u": "u4"}.get(kind.kind, "f4")


def write_residuals(path, result: Result, model) -> None:
    """Residuals at the final point (HDF5), see `fill_residuals`."""
    with create(path, latest=True) as file:
        fill_residuals(file, result, model)


def fill_residuals(file, result: Result, model) -> None:
    """Write residuals at the final point into an HDF5 file that is empty, a group for each exposure.

    x, y (pixel), data, ierr, residual = data - model at the good pixels; position (S, 2) and scale (S, 2, 2)
    of the sources.
    """
    import h5py

    arrays, q, first = model.arrays, result.patch.final_q, model.plan.components.first
    x, y = tile_pixels(arrays.tile_x, arrays.tile_y)
    file.attrs["fpho_version"] = __version__
    file.create_dataset("exposures", data=list(model.exposures), dtype=h5py.string_dtype())
    for e, residual in enumerate(model.residuals(q)):
        part = slice(arrays.exposure_start[e], arrays.exposure_start[e + 1])
        good = arrays.weight[part] > 0
        group = file.create_group(model.exposures[e])
        group.attrs["band"] = model.bands[arrays.band[e]]
        pixels = {"x": x[part][good].astype("i4"), "y": y[part][good].astype("i4")}
        pixels |= {"data": arrays.data[part][good].astype("f4"), "residual": residual.astype("f4")}
        pixels["ierr"] = np.sqrt(arrays.weight[part][good]).astype("f4")
        for name, values in pixels.items():
            group.create_dataset(name, data=values, **PACKED)
        group["position"], group["scale"] = arrays.position[e, first], arrays.scale[e, first]


def plain_rows(rows: np.ndarray) -> np.ndarray:
    """Scene rows with their text as bytes, which HDF5 can hold."""
    dtype = [(name, ID_BYTES if kind.kind == "U" else kind) for name, (kind, *_) in rows.dtype.fields.items()]
    out = np.zeros(len(rows), dtype)
    for name in rows.dtype.names:
        values = rows[name]
        out[name] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
    return out
