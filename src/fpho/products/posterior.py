"""The draws of a patch for ArviZ: physical quantities with units, sources by their ids."""

from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import InputError
from ..extras import require
from ..files import atomic
from ..layout import Layout
from ..passes.results import results_of
from ..results import Samples
from .columns import quantities
from .planned import planned


def samples_of(root, source: int) -> Samples:
    """What is known of the draws of the patch that has a source, the last that sampled it.

    Parameters
    ----------
    root : folder of a run. source : its `source_index`

    Raises
    ------
    InputError
        If no patch of the run has draws of it.
    """
    having = [one for one in planned(root).patches if one.draws is not None and source in (one.active or ())]
    if not having:
        raise InputError(
            root, f"no draws of source {source}", "Give the source_index of one that has n_draws"
        )
    return Samples(having[-1].draws)


def write_patches(root, folder, kind: Literal["samples", "residuals"] = "samples") -> list[Path]:
    """Write the samples (or residuals) of each patch of a run as a file that other programs open; the paths.

    They are HDF5 as netCDF4 has it, `patch<i>_samples.h5` with the number of the patch, which is the
    `source_index` of its first source; of a patch that was sampled in rounds it is the last.
    """
    paths = {}
    for one in results_of(Layout(Path(root)), kind=kind):
        if one.record is not None:
            path = paths[one.patch.number] = Path(folder) / f"patch{one.patch.number}_{kind}.h5"
            with atomic(path) as temporary:
                temporary.write_bytes(one.record.read())
    return list(paths.values())


def inference_data(path):
    """ArviZ's InferenceData of samples: of `samples_of`, or a samples file.

    Group `posterior`: the quantities of the catalogs (axis ratio, position angle in degrees, fluxes in nJy by
    band, ...), dimensions (chain, draw, source), shapes of point sources NaN; attributes `units` and
    `long_name`. Group `sample_stats`: (chain, draw). Coordinate `source`: ids of the catalog, or source
    indices where these are not told apart.
    """
    require("draws as InferenceData", "arviz")
    import arviz

    samples = path if isinstance(path, Samples) else Samples(path)
    shown = quantities(samples.bands)
    shape = (len(samples.final), samples.n_chains, -1)
    point = samples.final["is_point"]
    posterior = {}
    for quantity in shown:
        values = np.moveaxis(np.asarray(quantity.values(samples.samples), "f8").reshape(shape), 0, -1)
        posterior[quantity.name] = np.where(point & quantity.shape, np.nan, values)
    ids = [str(name) for name in samples.final["id"]]
    told_apart = len(set(ids)) == len(ids)
    data = arviz.from_dict(
        posterior=posterior,
        sample_stats=samples.stats,
        coords={"source": ids if told_apart else [int(i) for i in samples.final["source_index"]]},
        dims={quantity.name: ["source"] for quantity in shown},
    )
    for quantity in shown:
        data.posterior[quantity.name].attrs.update(units=quantity.unit, long_name=quantity.text)
    return data
