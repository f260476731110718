"""The record of one sampled patch."""

from dataclasses import dataclass, replace

import numpy as np

from ..showing import html_table
from .apertures import drawn_apertures
from .fit import fit_quality
from .misfit import patterns, widened
from .records import FittedPatch, HaloDraws, SamplerSettings, Summary, plain
from .rows import draws_by_source, medians, sampled_rows
from .shifts import shaken


@dataclass
class Result:
    """Draws of a patch and all that is known about them; `fill` adds the patch itself.

    C chains of N draws, n coordinates z, P numbers in the vector q.
    """

    z: np.ndarray  # (C, N, n)
    chain: np.ndarray  # (C N, P) in the order of q, chain after chain
    stats: dict[str, np.ndarray]  # (C, N) of each draw: energy, model_logp, diverging, tree_size, ...
    summary: Summary
    flags: int  # of all sources of the patch
    optimum_z: np.ndarray  # (n,) where sampling started
    optimum_q: np.ndarray  # (P,)
    optimum_lnp: float
    cov: np.ndarray  # metric (n, n) or its diagonal (n,), in z
    ncall: int  # evaluations of ln p
    ncall_warmup: int  # of these, before the draws that are kept
    wall_time: float  # seconds
    seed: str
    sampler: str
    settings: SamplerSettings
    halo: HaloDraws | None = None  # sources of other patches that were fitted along
    patch: FittedPatch | None = None  # set by `fill`

    def __repr__(self) -> str:
        number = "" if self.patch is None else f" of patch {self.patch.number}"
        state = "accepted" if self.summary.accepted else "not accepted"
        return (
            f"<Result{number}: {self.n_chains} x {self.z.shape[1]} draws in {self.z.shape[2]} coordinates, "
            f"R-hat {self.summary.max_rhat:.3f}, ESS {self.summary.min_ess:.0f}, {state}>"
        )

    def _repr_html_(self) -> str:
        return html_table(repr(self), plain(self.summary) | {"evaluations": self.ncall})

    @property
    def n_chains(self) -> int:
        """Chains, C."""
        return self.z.shape[0]

    @property
    def n_draws(self) -> int:
        """Draws kept, all chains."""
        return self.z.shape[0] * self.z.shape[1]

    def marginal(self, plan, n: int) -> "Result":
        """The draws of the first n of the sources of a posterior's `plan`, and of the backgrounds, alone."""
        keep, columns = plan.of_sources(n)
        return replace(
            self,
            z=np.ascontiguousarray(self.z[..., keep]),
            chain=np.ascontiguousarray(self.chain[:, columns]),
            cov=self.cov[keep] if self.cov.ndim == 1 else self.cov[np.ix_(keep, keep)],
            optimum_z=self.optimum_z[keep],
            optimum_q=self.optimum_q[columns],
        )

    def fill(
        self,
        region,
        active,
        fixed,
        model,
        bounds=None,
        step=None,
        stats=None,
        patchID=None,
        apertures=(0.3,),
        widen: bool = False,
        structure: np.ndarray | None = None,
        shifts: np.ndarray | None = None,
        rng: np.random.Generator | None = None,
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
        apertures : radii (arcsec) of circles in which fluxes are kept, see `results.apertures`
        widen : draws go as much farther from their medians as the model's misfit asks for, see `misfit`; the
            coordinates z stay those of the sampler
        structure : for that, what is known of the field's galaxies, see `Patterns.factors`
        shifts : (ndim, K) of z by what is uncertain beside the sources; draws are shaken by it, see `shifts`
        rng : for that, needed with `shifts`
        """
        flat = self.z.reshape(-1, self.z.shape[-1])
        factors = np.ones(len(model.rows))
        if widen:
            flat, factors = self._widened(model, flat, structure)
        moved = flat if shifts is None else shaken(flat, shifts, rng)
        if moved is not flat:
            flat, self.chain = moved, model.transform.transform(moved)
        final, q = sampled_rows(model, self.chain, flat, active, self.flags)
        quality = fit_quality(model, q)
        self.patch = FittedPatch(
            region=region,
            active=active,
            fixed=fixed,
            final=final,
            final_q=q,
            bounds=model.bounds if bounds is None else bounds,
            number=patchID,
            cov=np.atleast_2d(np.cov(flat.T)),
            chi2=model.chi2(q),
            n_pix=model.n_pix,
            source_chi2=quality.chi2,
            source_n_pix=quality.n_pix,
            source_misfit=factors,
            apertures=drawn_apertures(model, flat, q, apertures),
        )
        return final, self.patch.cov

    def _widened(self, model, flat, structure) -> tuple[np.ndarray, np.ndarray]:
        """z (N, ndim) with what a misfit adds, and its factors (S,); `chain` follows."""
        q = medians(model, self.chain)
        factors = patterns(model, q).factors(structure)
        if np.all(factors == 1):
            return flat, factors
        flat = widened(model, flat, q, flat.std(axis=0), factors)
        self.chain = model.transform.transform(flat)
        return flat, factors

    def middle(self, model) -> np.ndarray:
        """z (ndim,) at the medians of the draws, of the posterior that they were made from."""
        return model.transform.inverse_transform(medians(model, self.chain))

    def structured(self, model) -> np.ndarray:
        """Draws by source, structured (S, C N), positions absolute in degrees."""
        return draws_by_source(model, self.chain)
