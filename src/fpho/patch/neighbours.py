"""Neighbours drawn anew in each Gibbs round: a patch's posterior given a draw of the sources around it."""

import numpy as np

from .. import kernel
from ..kernel.arrays import SourceArrays
from ..parameters import q_names, wrap_degrees
from .building import PlacedSources, source_state


class Neighbours:
    """Calls give the posterior of a patch for one draw of its neighbours; their image is all that is made.

    model : `Posterior`, none of these neighbours subtracted
    sources : the neighbours, placed on its exposures
    rows : scene rows (S,) of them, to which positions refer
    draws : structured (S, C, N), absolute positions in degrees; C chains of N draws
    """

    def __init__(self, model, sources: PlacedSources, rows, draws):
        self.model, self.rows, self.draws = model, rows, draws
        self.components, self.arrays = sources.components, sources.on(model.arrays)

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
        rows, model = self.rows.copy(), self.model
        for name in q_names(model.bands):
            rows[name] = values[name]
        n_exposures = model.arrays.n_exposures
        state = source_state(rows, model.bands, model.table, n_exposures, self.components)
        n, source = len(model.bands), self.components.source
        cosine = np.cos(np.radians(self.rows["dec"]))
        east = wrap_degrees(values["ra"] - self.rows["ra"]) * cosine * 3600
        north = (values["dec"] - self.rows["dec"]) * 3600
        state.sources[:, n], state.sources[:, n + 1] = east[source], north[source]
        return state
