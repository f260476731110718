"""The record of one sampled patch."""

from dataclasses import dataclass, field

import numpy as np

from ..parameters import q_names
from .fit import source_chi2
from .rows import sampled_rows


@dataclass
class Result:
    """Draws of a patch and all that is known about them; `fill` adds the patch itself.

    C chains of N draws; z (C, N, ndim); chain (C N, P) in the order of the vector q, chain after chain.
    """

    z: np.ndarray
    chain: np.ndarray
    stats: dict  # arrays (C, N)
    summary: dict
    flags: int
    optimum_z: np.ndarray
    optimum_q: np.ndarray
    optimum_lnp: float
    cov: np.ndarray  # metric (ndim, ndim) or its diagonal, in z
    ncall: int
    ncall_warmup: int
    wall_time: float  # seconds
    seed: str
    sampler: str
    settings: dict
    halo: dict = field(default_factory=dict)  # rows, bounds of sources fitted along; z, metric of all
    patch: dict = field(default_factory=dict)  # set by `fill`

    @property
    def n_chains(self) -> int:
        return self.z.shape[0]

    @property
    def n_draws(self) -> int:
        """Draws kept, all chains."""
        return self.z.shape[0] * self.z.shape[1]

    def fill(
        self, region, active, fixed, model, bounds=None, step=None, stats=None, patchID=None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add the patch; (final scene rows at the medians with flux errors and flags, covariance of z).

        Parameters
        ----------
        region : circle on the sky
        active, fixed : scene rows that the patch was built from
        model : `Posterior`
        bounds : as given to the posterior, which has them anyway
        step, stats : of `run_lmc`, for callers of the older interface; the record has what it needs
        patchID : number of the patch in its run
        """
        flat = self.z.reshape(-1, self.z.shape[-1])
        final, q = sampled_rows(model, self.chain, flat, active, self.flags)
        chi2, n_pix = source_chi2(model, q)
        self.patch = {
            "region": region,
            "active": active,
            "fixed": fixed,
            "final": final,
            "final_q": q,
            "bounds": model.bounds if bounds is None else bounds,
            "patchID": patchID,
            "covs": np.atleast_2d(np.cov(flat.T)),
            "chi2": model.chi2(q),
            "n_pix": model.n_pix,
            "source_chi2": chi2,
            "source_n_pix": n_pix,
        }
        return final, self.patch["covs"]

    def structured(self, model) -> np.ndarray:
        """Draws by source, structured (S, C N), positions absolute in degrees."""
        names = q_names(model.bands)
        n_sources = len(model.rows)
        block = self.chain[:, : n_sources * len(names)].reshape(-1, n_sources, len(names))
        out = np.zeros((n_sources, len(block)), [(name, "f8") for name in names])
        for k, name in enumerate(names):
            out[name] = block[..., k].T
        out["ra"] = np.mod(out["ra"] + model.reference[0], 360.0)
        out["dec"] += model.reference[1]
        return out
