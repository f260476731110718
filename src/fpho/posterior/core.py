"""ln p of a patch: -chi2 / 2 plus ln prior, its exact gradient, its Fisher matrix."""

from copy import copy
from functools import cache
from itertools import pairwise

import numpy as np

from .. import kernel
from ..bounds import make_bounds
from ..config import Population, Priors
from ..kernel.arrays import N_SHAPE, PatchArrays, SourceArrays, near_pixels
from ..models import models_of
from ..parameters import source_vector
from ..showing import html_table
from . import compiled
from .exposure_terms import (
    ExposureTerms,
    background_terms,
    evaluate_moving,
    fisher_moving,
    pixel_noise,
    single_exposures,
    with_moving,
)
from .parameter_map import make_parameter_map
from .population import PopulationTerm, population_term
from .transform import Transform

FLAT = Priors(population=Population(use=False))  # fluxes flat, sizes and indices with priors of their own


class Posterior:
    """The posterior of the sources of a patch in unconstrained coordinates z (ndim,).

    ln p is the density of z: -chi2 / 2 + ln prior, the Jacobians of all transforms in it, up to a
    constant.
    In z the prior of positions and shapes is standard normal; fluxes and backgrounds are linear.
    Only free parameters have coordinates: shapes of point sources, and parameters whose bounds are
    equal, are held.
    """

    def __init__(
        self,
        arrays: PatchArrays,
        rows,
        bands,
        table,
        bounds=None,
        priors: Priors | None = None,
        reference=(0.0, 0.0),
        backend: str = "cpu",
        in_fit_background: bool = False,
        exposures=None,
        background_sigma: float = 10.0,
        models=None,
        moving_terms=(),
    ):
        """
        Parameters
        ----------
        arrays : pixels, and geometry at the positions of `rows`
        rows : scene rows (S,)
        table : Sersic table
        bounds : structured (S,) with (lower, upper) of each parameter, absolute; wide ones when None
        priors : of the parameters within their bounds; None: those of `FLAT`
        reference : (ra, dec) in degrees that the positions in q are offsets from
        backend : `cpu` or `gpu`
        in_fit_background : fit one constant (nJy/pixel) of each exposure, at the end of q; its prior is
            normal about 0
        background_sigma : width of that prior, in units of the noise of an exposure's typical pixel
        exposures : names of the exposures, for results; their numbers when None
        models : (S,) `SourceModel` of each source; those that the rows name when None
        moving_terms : further terms of each exposure that are fitted, see `posterior.exposure_terms`
        """
        self.arrays, self.rows, self.bands, self.table = arrays, rows, tuple(bands), table
        self.reference, self.backend = tuple(map(float, reference)), backend
        self.priors = priors or FLAT
        self.models = models_of(rows) if models is None else list(models)
        self.bounds = make_bounds(rows, self.bands, models=self.models) if bounds is None else bounds
        self.exposures = list(map(str, range(arrays.n_exposures) if exposures is None else exposures))
        self.in_fit_background, self.background_sigma = in_fit_background, background_sigma
        terms = ExposureTerms()
        if in_fit_background:
            terms = background_terms(pixel_noise(arrays), background_sigma)
        terms = with_moving(terms, moving_terms, arrays.n_exposures) if moving_terms else terms
        self.plan = make_parameter_map(
            rows, self.bands, self.bounds, self.priors, self.reference, terms, self.models
        )
        self.transform = Transform(self.plan)
        self.ndim = self.plan.ndim
        self.ncall = 0  # likelihood evaluations so far
        self.nfisher = 0
        self._blank = np.zeros(arrays.n_exposures)
        self._single = single_exposures(arrays) if moving_terms else []
        self.population: PopulationTerm | None = None
        if self.priors.has_population:
            self.population = self.population_term()

    def __repr__(self) -> str:
        size = f"{len(self.rows)} sources, {len(self.exposures)} exposures in {', '.join(self.bands)}"
        return f"<Posterior: {size}, {self.ndim} coordinates, on the {self.backend}>"

    def _repr_html_(self) -> str:
        pixels = int(np.count_nonzero(self.arrays.weight))
        sources = ", ".join(str(name) for name in self.rows["id"][:10])
        return html_table(repr(self), {"good pixels": pixels, "sources": sources, "evaluations": self.ncall})

    def population_term(self) -> PopulationTerm:
        """The population's prior, in use or not, with the data's information at the rows."""
        z = self.transform.inverse_transform(source_vector(self.rows, self.bands, self.reference))
        flux = np.stack([self.rows[band] for band in self.bands], axis=-1)
        return population_term(self.priors.population, self.plan, flux, self.fisher(z, prior=False))

    def state(self, z) -> tuple[SourceArrays, np.ndarray]:
        """The kernel's components at z; values and slopes of columns (S, C, 5), see `compiled.parameters`."""
        plan = self.plan
        n_bands, parts = plan.n_bands, plan.components
        components = np.empty((len(parts.source), n_bands + N_SHAPE))
        values = np.empty((*plan.index.shape, 5))
        compiled.expand(
            z, n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.kind, plan.tables,
            parts.source, parts.share, parts.feed, parts.held, components, values,
        )  # fmt: skip
        profile, count = self.table.evaluate(
            components[:, n_bands + 5], components[:, n_bands + 6], parts.is_point
        )
        sky = plan.terms.split(z[plan.sky_index :] * plan.sky_unit)[0] if plan.terms.n_linear else self._blank
        return SourceArrays(components, profile, count, sky), values

    def states(self, z) -> SourceArrays:
        """The kernel's components at places z (W, ndim): arrays of `state` with a first axis more."""
        plan, z = self.plan, np.ascontiguousarray(z, "f8")
        n_bands, parts, terms = plan.n_bands, plan.components, plan.terms
        components = np.empty((len(z), len(parts.source), n_bands + N_SHAPE))
        compiled.expand_all(
            z, n_bands, plan.index, plan.origin, plan.unit, plan.number, plan.kind, plan.tables,
            parts.source, parts.share, parts.feed, parts.held, components, np.empty((*plan.index.shape, 5)),
        )  # fmt: skip
        index, rhalf = components[..., n_bands + 5].ravel(), components[..., n_bands + 6].ravel()
        profile, count = self.table.evaluate(index, rhalf, np.tile(parts.is_point, len(z)))
        sky = np.zeros((len(z), len(self._blank)))
        if terms.n_linear:
            sky[:] = [terms.split(place[plan.sky_index :] * plan.sky_unit)[0] for place in z]
        shape = components.shape[:2]
        return SourceArrays(components, profile.reshape(*shape, -1, 6), count.reshape(shape), sky)

    def lnprob_and_grad(self, z) -> tuple[float, np.ndarray]:
        """ln p at z, and its gradient (ndim,), a fresh array; -inf where z is not finite."""
        plan, parts = self.plan, self.plan.components
        self.ncall += 1
        z = np.ascontiguousarray(z, "f8")
        gradient = np.zeros(self.ndim)
        if not np.isfinite(z).all():
            return -np.inf, gradient
        state, values = self.state(z)
        chi2, by_component, by_sky = self._evaluate(z, state)
        lnprior = compiled.collect(
            z, plan.n_bands, plan.index, plan.kind, parts.source, parts.share, parts.feed, values,
            plan.flux_prior, plan.sky_index, plan.sky_unit, plan.sky_curvature, by_component, by_sky,
            gradient,
        )  # fmt: skip
        if self.population is not None:
            lnprior += self.population.add_slopes(plan.index, values, gradient)
        return -0.5 * float(chi2.sum()) + lnprior, gradient

    def _evaluate(self, z, state):
        """As the kernel's `evaluate`, with the slopes by all terms of exposures."""
        if not self._single:
            return self.kernel.evaluate(self.arrays, state)
        return evaluate_moving(self.kernel, self._single, state, self.plan.terms, self._moving(z))

    def _information(self, z, state) -> np.ndarray:
        """As the kernel's `fisher`, with all terms of exposures."""
        if not self._single:
            return self.kernel.fisher(self.arrays, state)
        return fisher_moving(self.kernel, self._single, state, self.plan.terms, self._moving(z))

    def _moving(self, z) -> np.ndarray:
        """Values (K, E) of the moving terms."""
        return self.plan.terms.split(z[self.plan.sky_index :] * self.plan.sky_unit)[1]

    def lnprob(self, z) -> float:
        """ln p at z."""
        return self.lnprob_and_grad(z)[0]

    def fisher(self, z, prior: bool = True) -> np.ndarray:
        """J^t W J in z (ndim, ndim), with the prior's curvature on the diagonal unless `prior` is false."""
        return self.fisher_and_sky(z, prior)[0]

    def fisher_and_sky(self, z, prior: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """As `fisher`; and J^t W 1 (ndim, E), by which the gradient falls with a constant of an exposure.

        The constant is in nJy/pixel.
        """
        plan, parts = self.plan, self.plan.components
        self.nfisher += 1
        z = np.ascontiguousarray(z, "f8")
        state, values = self.state(z)
        information = self._information(z, state)
        jacobian = np.zeros((len(information), plan.ndim))
        compiled.jacobian(
            plan.n_bands, plan.index, parts.source, parts.share, parts.feed, values,
            plan.sky_index, plan.sky_unit, jacobian,
        )  # fmt: skip
        left = jacobian.T @ information
        first = len(parts.source) * (plan.n_bands + N_SHAPE)
        matrix, sky = left @ jacobian, left[:, first : first + self.arrays.n_exposures]
        if not prior:
            return matrix, sky
        if self.population is not None:
            self.population.add_curvature(plan.index, values, matrix)
        return matrix + np.diag(plan.curvature()), sky

    @property
    def prior_width(self) -> np.ndarray:
        """(ndim,) standard deviations of z that the prior alone gives shapes and positions."""
        width = np.ones(self.ndim)
        if self.population is not None:
            column = self.plan.index[self.population.floor > 0, self.population.size]
            width[column[column >= 0]] = self.population.width
        return width

    def population_slope(self, z) -> np.ndarray:
        """(ndim,) gradient of the population's ln prior; zeros without one."""
        gradient = np.zeros(self.ndim)
        if self.population is not None:
            self.population.add_slopes(self.plan.index, self.state(z)[1], gradient)
        return gradient

    def lnlike(self, q) -> float:
        """-chi2 / 2 of a vector q."""
        return -0.5 * float(self.chi2(q).sum())

    def chi2(self, q) -> np.ndarray:
        """chi-square of each exposure (E,) at a vector q."""
        z = self.transform.inverse_transform(q)
        return np.asarray(self._evaluate(z, self.state(z)[0])[0])

    def residuals(self, q) -> list[np.ndarray]:
        """data - model (nJy/pixel) at the good pixels of each exposure, in the order of the tiles."""
        state, _ = self.state(self.transform.inverse_transform(q))
        difference = self.arrays.data - self.kernel.model(self.arrays, state)
        good = self.arrays.weight > 0
        start = self.arrays.exposure_start
        return [difference[a:b][good[a:b]] for a, b in pairwise(start)]

    @property
    def n_pix(self) -> np.ndarray:
        """Good pixels of each exposure (E,)."""
        good = (self.arrays.weight > 0).sum(axis=1)
        start = self.arrays.exposure_start
        return np.array([good[a:b].sum() for a, b in pairwise(start)], int)

    def with_data(self, data) -> "Posterior":
        """The same posterior for other pixel values (T, 64), with counts of its own."""
        other = copy(self)
        other.arrays = self.arrays.with_fields(data=np.ascontiguousarray(data, "f4"))
        other.ncall = other.nfisher = 0
        other._single = single_exposures(other.arrays) if self._single else []
        return other

    def near_pixels(self, reach: float = 3.0) -> np.ndarray:
        """(E, S) whether an exposure has a good pixel within `reach` pixels of a source."""
        return near_pixels(self.arrays, reach)[:, self.plan.components.first]

    @property
    def kernel(self):
        """The module of the backend."""
        return _backend(self.backend)


_backend = cache(kernel.backend)  # asked for at every evaluation
