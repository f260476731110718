"""From sources to the kernel's components: tables of integers that compiled code follows, or plain numpy."""

from dataclasses import dataclass

import numpy as np

from .parameter import ALL, NONE, FluxRest, FluxShare

WHOLE, SHARED, REST, NO_FLUX = range(4)  # a component's flux: the source's times 1, a share, 1 - share, 0
SHARES = {ALL: WHOLE, NONE: NO_FLUX, FluxShare: SHARED, FluxRest: REST}


@dataclass(frozen=True)
class Components:
    """Which columns (fluxes by band, ra, dec, then parameters) of S sources feed their N components.

    The components of one source follow one another.
    """

    source: np.ndarray  # (N,) int64: the component's source
    share: np.ndarray  # (N, B, 2) int64: kind of share of the flux, and its column or -1
    feed: np.ndarray  # (N, 3) int64: columns of the ellipse, the index, the radius; -1 where round or held
    held: np.ndarray  # (N, 2): index and radius (arcsec) where they are held
    is_point: np.ndarray  # (N,) bool

    @property
    def first(self) -> np.ndarray:
        """(S,) the first component of each source."""
        return np.flatnonzero(np.diff(self.source, prepend=-1))


def components_of(models, names, n_bands: int) -> Components:
    """The components of sources with models (S,); `names` of the columns."""
    parts = [(s, part) for s, model in enumerate(models) for part in model.expand(n_bands)]
    place = {name: c for c, name in enumerate(names)} | {None: -1}
    feed, held, share = [], [], np.zeros((len(parts), n_bands, 2), "i8")
    for n, (_, part) in enumerate(parts):
        slots = [part.sersic, 0.0 if part.is_point else part.rhalf]
        feed.append([place[part.ellipse], *(place[slot] if isinstance(slot, str) else -1 for slot in slots)])
        held.append([0.0 if isinstance(slot, str) else float(slot) for slot in slots])
        for b, flux in enumerate(part.fluxes(n_bands)):
            kind = SHARES[flux if isinstance(flux, str) else type(flux)]
            share[n, b] = kind, place[getattr(flux, "of", None)]
    return Components(
        source=np.array([s for s, _ in parts], "i8"),
        share=share,
        feed=np.array(feed, "i8").reshape(-1, 3),
        held=np.array(held, "f8").reshape(-1, 2),
        is_point=np.array([part.is_point for _, part in parts], bool),
    )


def component_values(components: Components, x) -> tuple[np.ndarray, ...]:
    """(flux (N, B), q (N,), pa (N,), index (N,), radius (N,)) of columns x (S, C) of the sources.

    The same as compiled code does, for scene rows.
    """
    x = np.asarray(x, "f8")[components.source]
    here = np.arange(len(x))
    kind, column = components.share[..., 0], components.share[..., 1]
    part = x[here[:, None], column]
    factor = np.choose(kind, [np.ones_like(part), part, 1 - part, np.zeros_like(part)])
    ellipse = components.feed[:, 0]
    q, pa = (np.where(ellipse >= 0, x[here, ellipse + k], 1.0 - k) for k in (0, 1))
    index, radius = (
        np.where(components.feed[:, 1 + k] >= 0, x[here, components.feed[:, 1 + k]], components.held[:, k])
        for k in (0, 1)
    )
    return factor * x[:, : kind.shape[1]], q, pa, index, radius
