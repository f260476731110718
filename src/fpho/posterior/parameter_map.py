"""Which parameter is which coordinate, and which component of a source it feeds: tables of a patch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..models import MODELS, Components, components_of, models_of, parameters_of
from ..parameters import POSITION_COLS, wrap_degrees
from .columns import SourceColumns
from .compiled import DISC
from .exposure_terms import ExposureTerms

ARCSEC = 3600.0
# of radius over coordinate at the middle of a disc, relative to its largest, below which there is no slope
FLAT = 0.1
ASIDE = 0.5  # coordinate at which a search begins then


@dataclass(frozen=True)
class ParameterMap:
    """Sources, coordinates and components of a patch.

    S sources, B bands, C columns (fluxes, east, north, then the parameters of all models), n coordinates.
    The kernel knows the sources' `components` only.
    """

    n_bands: int
    ndim: int
    index: np.ndarray  # (S, C) int64: coordinate of each column, -1 where held
    origin: np.ndarray  # (S, C): held value, or what the table's value is added to
    unit: np.ndarray  # (S, C): factor on the coordinate (fluxes) or on the table's value
    number: np.ndarray  # (S, C - B) int64: table of each column after the fluxes
    kind: np.ndarray  # (S, C - B) int64: how the table's value becomes the parameter, see `compiled`
    middle: np.ndarray  # (S, C - B): of an angle (rad), the middle of the half-turn that is returned
    tables: np.ndarray  # (T, NODES - 1, 4)
    flux_prior: np.ndarray  # (S, B, 6): see compiled.log_flux_prior
    is_point: np.ndarray  # (S,) bool: a source that has fluxes and a position only
    cosine: np.ndarray  # (S,) cos(dec)
    offset: np.ndarray  # (S, 2) degrees: reference position of the source from that of the patch
    components: Components
    terms: ExposureTerms
    columns: tuple[str, ...]

    @cached_property
    def sky_index(self) -> int:
        """First coordinate of the exposures' terms."""
        return self.ndim - len(self.sky_unit)

    @cached_property
    def sky_unit(self) -> np.ndarray:
        """(K,) of the terms, in their unit per coordinate, or empty."""
        return self.terms.unit

    @cached_property
    def sky_curvature(self) -> np.ndarray:
        """(K,) of the terms' prior, in their unit to the power -2."""
        return self.terms.curvature

    def column(self, name: str) -> int:
        """Place of a parameter among the columns of each source."""
        return self.columns.index(name)

    def of_sources(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(coordinates in z, columns of q) of the first n sources and of the exposures' terms."""
        own = self.index[:n]
        z = np.concatenate([np.sort(own[own >= 0]), np.arange(self.sky_index, self.ndim)])
        terms = self.index.size + np.arange(len(self.sky_unit))
        return z, np.concatenate([np.arange(own.size), terms])

    @property
    def linear(self) -> np.ndarray:
        """(ndim,) bool: fluxes and backgrounds, in which the model is linear."""
        mask = np.zeros(self.ndim, bool)
        fluxes = self.index[:, : self.n_bands]
        mask[fluxes[fluxes >= 0]] = True
        mask[self.sky_index : self.sky_index + self.terms.n_linear] = True
        return mask

    def curvature(self) -> np.ndarray:
        """(ndim,) of -ln prior by coordinate: 1 for tabulated ones, 1 / variance for linear ones."""
        diagonal = np.ones(self.ndim)
        free = self.index[:, : self.n_bands] >= 0
        where = self.index[:, : self.n_bands][free]
        diagonal[where] = self.flux_prior[..., 4][free] * self.unit[:, : self.n_bands][free] ** 2
        diagonal[self.sky_index :] = self.sky_curvature * self.sky_unit**2
        return diagonal

    def wall(self, z) -> np.ndarray:
        """(ndim,) to be added to `curvature()` at z for the steps of a search, not for errors.

        A flat flux prior has 1 / variance in `curvature()`: right for errors, and it keeps matrices of
        sources without data positive. Beyond its bounds the prior is 30 times as steep, and a step with that
        far too small a value would be thrown back and forth across the bound.
        """
        extra = np.zeros(self.ndim)
        kind, centre, half, slope, mean = (self.flux_prior[..., k] for k in range(5))
        fluxes, unit = self.index[:, : self.n_bands], self.unit[:, : self.n_bands]
        value = self.origin[:, : self.n_bands] + unit * z[np.maximum(fluxes, 0)]
        beyond = (fluxes >= 0) & (kind == 0) & (np.abs(value - centre) > half)
        extra[fluxes[beyond]] = unit[beyond] ** 2 * (1 / slope[beyond] ** 2 - mean[beyond])
        return extra

    def aside(self, z) -> np.ndarray:
        """z (ndim,) with shapes off the middle of the disc where their map has no slope there.

        A prior flat in the axis ratio has most of its shapes near round: a small step of z from the middle
        changes nothing, so ln p has no slope there, and a search that begins round would end round.
        """
        z = np.array(z)
        for s, k in zip(*np.nonzero(self.kind == DISC), strict=True):
            i, j = self.index[s, self.n_bands + k : self.n_bands + k + 2]
            radial = self.tables[self.number[s, k]][:, 0]
            flat, rho = radial[0] < FLAT * radial.max(), np.hypot(z[i], z[j])
            if i >= 0 and flat and rho < ASIDE:
                angle = np.arctan2(z[j], z[i])
                z[[i, j]] = ASIDE * np.cos(angle), ASIDE * np.sin(angle)
        return z

    def names(self) -> list[tuple[int, str]]:
        """(source, column) of each coordinate; terms of exposures have source -1."""
        out = [(-1, name) for name in ["", *self.terms.names]]
        out = out[:1] * self.sky_index + out[1:]
        for s, row in enumerate(self.index):
            for c, i in enumerate(row):
                if i >= 0:
                    out[i] = (s, self.columns[c])
        return out


def make_parameter_map(
    rows, bands, bounds, priors, reference, terms: ExposureTerms | None = None, models=None
) -> ParameterMap:
    """The map of scene rows (S,).

    terms : fitted constants of exposures; none when None
    models : (S,) `SourceModel`; those that the rows name when None

    Raises
    ------
    InputError
        If bounds are not finite, decrease, or do not fit the prior.
    """
    models = models_of(rows) if models is None else list(models)
    bands, parameters = tuple(bands), parameters_of([*MODELS, *models])
    columns = SourceColumns(bands, parameters, priors)
    for row, limits, model in zip(rows, bounds, models, strict=True):
        columns.add(row, limits, model)
    names = (*bands, *POSITION_COLS, *parameters)
    terms = terms or ExposureTerms()
    dec = np.asarray(rows["dec"], "f8")
    offset = np.stack([wrap_degrees(rows["ra"] - reference[0]), dec - reference[1]], axis=-1)
    return ParameterMap(
        **columns.arrays(len(rows)),
        components=components_of(models, names, len(bands)),
        n_bands=len(bands),
        ndim=columns.n + len(terms.unit),
        is_point=np.array([not model.parameters for model in models], bool),
        cosine=np.cos(np.radians(dec)),
        offset=offset.reshape(-1, 2),
        terms=terms,
        columns=names,
    )
