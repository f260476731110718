"""Sources on a patch's exposures, as the kernel takes them: pure functions."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry import linearize
from ..kernel.arrays import N_SHAPE, PatchArrays, SourceArrays
from ..models import Components, component_values, components_of, models_of
from ..parameters import ellipticity, q_names, shape_matrix


@dataclass(frozen=True)
class PlacedSources:
    """Sources on a patch's exposures, as the kernel takes them: placed once, for all that is made of them.

    The sources (S,) are N components there.
    """

    components: Components
    geometry: dict[
        str, np.ndarray
    ]  # fields of `PatchArrays` that say where the components are, and their PSFs
    state: SourceArrays  # at their reference positions, without background

    def on(self, arrays: PatchArrays) -> PatchArrays:
        """The same pixels with these sources."""
        return arrays.with_fields(**self.geometry)


def place_sources(tiles, rows, psfstore, bands, table, interpolation: str = "nearest") -> PlacedSources:
    """Scene rows (S,) on exposures.

    Parameters
    ----------
    tiles : `ExposureTiles` (E,), or `Exposure`s
    rows : the positions there become the reference positions of the sources' components
    psfstore : `PSFStore`
    bands : names of bands, in the order of the fluxes
    table : Sersic table
    interpolation : PSF between the detector positions of the store, `nearest` or `linear`

    Raises
    ------
    InputError
        If an exposure has no PSF, or a source has no finite pixel position in it.
    """
    components = components_of_rows(rows, bands)
    state = source_state(rows, bands, table, len(tiles), components)
    geometry = source_geometry(tiles, rows[components.source], psfstore, interpolation)
    return PlacedSources(components, geometry, state)


def source_geometry(tiles, rows, psfstore, interpolation: str = "nearest") -> dict[str, np.ndarray]:
    """The fields of `PatchArrays` that depend on sources; `rows`: of each component (N,), its source's."""
    shape = (len(tiles), len(rows))
    position, scale = np.zeros((*shape, 2)), np.zeros((*shape, 2, 2))
    psf_index = np.zeros(shape, "i4")
    known: dict[bytes, int] = {}
    mixtures: list[np.ndarray] = []
    for e, one in enumerate(tiles):
        position[e], scale[e] = _place(one, rows)
        key = psfstore.resolve(one.id, one.band, one.psf)
        for s, (x, y) in enumerate(position[e]):
            mixture = psfstore.mixture(key, x, y, interpolation)
            name = mixture.tobytes()
            if name not in known:
                known[name] = len(mixtures)
                mixtures.append(mixture)
            psf_index[e, s] = known[name]
    psf, psf_count = _pad(mixtures)
    return {
        "position": position,
        "scale": scale,
        "gain": np.ones(shape),
        "psf_index": psf_index,
        "psf": psf,
        "psf_count": psf_count,
    }


def components_of_rows(rows, bands=()) -> Components:
    """The components of scene rows (S,) by the models that they name."""
    return components_of(models_of(rows), q_names(bands), len(bands))


def source_state(
    rows, bands, table, n_exposures: int = 0, components: Components | None = None
) -> SourceArrays:
    """The kernel's view of scene rows (S,) at their reference positions, without background.

    `components`: those of the rows, where they are known.
    """
    n_bands = len(bands)
    parts = components_of_rows(rows, bands) if components is None else components
    x = np.stack([rows[name] for name in q_names(bands)], axis=-1)
    fluxes, q, pa, index, radius = component_values(parts, x)
    sources = np.zeros((len(fluxes), n_bands + N_SHAPE))
    sources[:, :n_bands] = fluxes
    sources[:, n_bands + 2 : n_bands + 5] = shape_matrix(*ellipticity(q, pa))
    sources[:, n_bands + 5], sources[:, n_bands + 6] = index, radius
    profile, count = table.evaluate(index, radius, parts.is_point)
    return SourceArrays(sources, profile, count, np.zeros(n_exposures))


def _place(tiles, rows):
    position, scale = linearize(tiles.wcs, rows["ra"], rows["dec"])
    lost = ~(np.isfinite(position).all(axis=-1) & np.isfinite(scale).all(axis=(-1, -2)))
    if np.any(lost):
        found = f"source {rows['id'][lost][0]!r} has no pixel position in this exposure's WCS"
        raise InputError(tiles.id, found, "Check its ra and dec (degrees) and the WCS of the image")
    return position, scale


def _pad(mixtures) -> tuple[np.ndarray, np.ndarray]:
    """(N, J, 6) float64 and (N,) int32; one empty PSF when there is none, so that indices hold."""
    mixtures = mixtures or [np.zeros((0, 6))]
    count = np.array([len(mixture) for mixture in mixtures], "i4")
    psf = np.zeros((len(mixtures), max(1, count.max()), 6))
    for row, mixture in zip(psf, mixtures, strict=True):
        row[: len(mixture)] = mixture
    return psf, count
