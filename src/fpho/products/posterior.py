"""The draws of a patch for ArviZ: physical quantities with units, sources by their ids."""

from pathlib import Path

import numpy as np

from ..extras import require
from ..results import Samples
from .columns import quantities


def inference_data(path):
    """ArviZ's InferenceData of a samples file.

    Group `posterior`: the quantities of the catalogs (axis ratio, position angle in degrees, fluxes in nJy by
    band, ...), dimensions (chain, draw, source), shapes of point sources NaN; attributes `units` and
    `long_name`. Group `sample_stats`: (chain, draw). Coordinate `source`: ids of the catalog, or source
    indices where these are not told apart.
    """
    require("draws as InferenceData", "arviz")
    import arviz

    samples = path if isinstance(path, Samples) else Samples(Path(path))
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
