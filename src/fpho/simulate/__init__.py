"""Scenes with known truth, drawn by GalSim: for the built-in example, tests, calibration and injection."""

from .drawing import draw_exposure, draw_noiseless, signal_to_noise
from .effective import draw_effective, psf_object
from .field import write_field
from .jwst import write_cal
from .optics import make_wcs, moffat_psf, optical_psf, psf_from_image, psf_image
from .survey import write_survey
from .writing import perturbed, write_image, write_scene, write_table

__all__ = [
    "draw_effective",
    "draw_exposure",
    "draw_noiseless",
    "make_wcs",
    "moffat_psf",
    "optical_psf",
    "perturbed",
    "psf_from_image",
    "psf_image",
    "psf_object",
    "signal_to_noise",
    "write_cal",
    "write_field",
    "write_image",
    "write_scene",
    "write_survey",
    "write_table",
]
