"""PSF images to mixtures of Gaussians; the store; figures of merit."""

from .build import PSFFit, fit_locations, fit_mixture
from .image import PSFImage, effective_image
from .store import PSFStore, write_store

__all__ = ["PSFFit", "PSFImage", "PSFStore", "effective_image", "fit_locations", "fit_mixture", "write_store"]
