"""Images: readers by instrument, the table of exposures, pixel store and meta store."""

from .choosing import open_chosen
from .exposure import Exposure, ExposureTiles, tile_image, untile_image
from .noise import blank_pixels, measure_noise_scale, neighbour_correlation, pixel_scatter
from .onefile import ExposureEntry, file_of, kept_exposure, write_exposure
from .reading import calibrated, cap_snr, read_exposure, read_fits, read_raw, scale_noise
from .store import Store, open_store, write_index, write_store
from .table import ExposureSpec, read_table
from .validate import check_place, pixel_scales, validate
from .wcs import ShiftedWCS

__all__ = [
    "Exposure",
    "ExposureEntry",
    "ExposureSpec",
    "ExposureTiles",
    "ShiftedWCS",
    "Store",
    "blank_pixels",
    "calibrated",
    "cap_snr",
    "check_place",
    "file_of",
    "kept_exposure",
    "measure_noise_scale",
    "neighbour_correlation",
    "open_chosen",
    "open_store",
    "pixel_scales",
    "pixel_scatter",
    "read_exposure",
    "read_fits",
    "read_raw",
    "read_table",
    "scale_noise",
    "tile_image",
    "untile_image",
    "validate",
    "write_exposure",
    "write_index",
    "write_store",
]
