"""PSFs from the stars of images: found or listed, cut out, fitted together, and judged on stars left out."""

from .gathering import FEWEST, Star, gather, joined, stars_of
from .groups import Group, groups_without_psf
from .making import make_psfs
from .star_psf import StarPSF, psfs_of_stars

__all__ = [
    "FEWEST",
    "Group",
    "Star",
    "StarPSF",
    "gather",
    "groups_without_psf",
    "joined",
    "make_psfs",
    "psfs_of_stars",
    "stars_of",
]
