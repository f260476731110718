"""Neighbours drawn anew in each Gibbs round: a patch's posterior given a draw of the sources around it."""

import numpy as np

from .. import kernel
from ..kernel.arrays import SourceArrays
from ..parameters import q_names, wrap_degrees
from .building import components_of_rows, source_geometry, source_state
from .remainder import subtract_remainder


class Neighbours:
    """Calls give the posterior of a patch for one draw of its neighbours; their image is all that is made.

    model : `Posterior`, none of these neighbours subtracted
    rows : scene rows (S,) of the neighbours, to which positions refer; what PSF mixtures leave of their light
        is taken off at their values
    draws : structured (S, C, N), absolute positions in degrees; C chains of N draws
    """

    def __init__(self, model, tiles, rows, draws, psfstore, interpolation="nearest"):
        arrays = subtract_remainder(model.arrays, tiles, rows, psfstore, model.bands, model.table)
        self.model = model if arrays is model.arrays else model.with_data(arrays.data)
        self.rows, self.draws = rows, draws
        geometry = source_geometry(tiles, rows, psfstore, interpolation)
        self.arrays = model.arrays.with_fields(**geometry)

    def __call__(self, chain: int, draw: int):
        """The posterior given a draw."""
        values = self.draws[:, chain, draw]
        return self.given(values)

    def given(self, values):
        """The posterior given the neighbours' values, structured (S,)."""
        arrays = self.model.arrays
        if not len(values) or not arrays.n_exposures:
            return self.model
        image = kernel.backend(self.model.backend).model(self.arrays, self.state(values))
        return self.model.with_data(np.where(arrays.weight > 0, arrays.data - image, np.float32(0)))

    def state(self, values) -> SourceArrays:
        """The kernel's sources for values, structured (S,)."""
        rows, bands = self.rows.copy(), self.model.bands
        for name in q_names(bands):
            rows[name] = values[name]
        state = source_state(rows, bands, self.model.table, self.model.arrays.n_exposures)
        n, source = len(bands), components_of_rows(rows).source
        cosine = np.cos(np.radians(self.rows["dec"]))
        east = wrap_degrees(values["ra"] - self.rows["ra"]) * cosine * 3600
        north = (values["dec"] - self.rows["dec"]) * 3600
        state.sources[:, n], state.sources[:, n + 1] = east[source], north[source]
        return state
