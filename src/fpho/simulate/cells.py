"""The population of a survey, cell by cell: any part of the sky can be drawn without the rest."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..config.field import SimulatedField
from .effective import REACH
from .field import faintest, place_within, structures, with_stars
from .population import COMPANION, SIZES, draw_population

CELL = 60.0  # arcsec, largest side of a cell
INDEX_DIGITS = 1  # of Sersic indices: GalSim prepares each anew (10 ms) and remembers a hundred


@dataclass(frozen=True)
class Cells:
    """A square of the sky in square cells, each with a population from a seed of its own.

    Exactly as many sources as were asked for, spread over the cells as chance has it (a multinomial draw).
    """

    options: SimulatedField
    seed: int

    @property
    def side(self) -> float:
        """Of the survey, arcsec."""
        return float(60 * np.sqrt(self.options.sources / self.options.density))

    @property
    def across(self) -> int:
        """Cells along one side."""
        return max(1, int(np.ceil(self.side / CELL)))

    @cached_property
    def counts(self) -> np.ndarray:
        """Sources and bright stars of each cell, (cells, 2)."""
        n, rng = self.across**2, np.random.default_rng([self.seed, 31])
        wanted = self.options.sources, self.options.stars
        return np.stack([rng.multinomial(count, np.full(n, 1 / n)) for count in wanted], axis=1)

    @cached_property
    def first(self) -> np.ndarray:
        """Row in the truth of the first source of each cell, and of all after the last, (cells + 1,)."""
        return np.r_[0, np.cumsum(self.counts.sum(axis=1))]

    def middle(self, cell) -> np.ndarray:
        """Arcsec east and north of the survey's middle, (..., 2)."""
        step = self.side / self.across
        return (np.stack([cell % self.across, cell // self.across], axis=-1) + 0.5) * step - self.side / 2

    def drawn(self, cell: int):
        """(scene rows (S,) with the truth, GalSim profile of each or None)."""
        sources, stars = map(int, self.counts[cell])
        rngs = [np.random.default_rng([self.seed, number, cell]) for number in (21, 26, 22)]
        options = self.options.model_copy(update={"stars": stars})
        place = place_within(self.side / self.across, self.middle(cell))
        rows = draw_population(sources, options.bands, faintest(options), place, rngs[0])
        rows["sersic"] = rows["sersic"].round(INDEX_DIGITS)
        rows, profiles = structures(with_stars(rows, options, place, rngs[1]), options, rngs[2])
        rows["source_index"] = self.first[cell] + np.arange(len(rows))
        stems = [name.rpartition("-")[0] for name in rows["id"].tolist()]
        rows["id"] = [f"{stem}-{index + 1}" for stem, index in zip(stems, rows["source_index"], strict=True)]
        return rows, profiles

    def near(self, middle, radius: float) -> np.ndarray:
        """Cells of which a source may reach a circle on the sky; radius (arcsec) : that of the PSF in it."""
        cells, half = np.arange(self.across**2), self.side / self.across / 2
        beyond = np.maximum(np.abs(self.middle(cells) - middle) - half, 0)
        return cells[np.hypot(*beyond.T) < radius + COMPANION[1] + REACH * SIZES[1]]
