"""Inputs: images, PSFs, catalog, and how pixels become stores."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from .base import Section, option

Factor = Annotated[float, Field(ge=0.01, le=100)]
# Of Rubin's and HSC's masks: planes that say that a value is not to be used.
BAD_PLANES = ("BAD", "SAT", "CR", "NO_DATA", "EDGE", "UNMASKEDNAN", "VIGNETTED", "STREAK")


def _template(text: str) -> str:
    """A name in which {band} may stand, and no other field."""
    if set(text.replace("{band}", "")) & set("{}") or not text.strip():
        raise ValueError("a column's name, in which {band} stands for the band's")
    return text


class Catalog(Section):
    """The peaks to be measured: a table, its units and conventions, or what the images show."""

    path: str | None = option(None, "FITS/ECSV/CSV table of peaks; none with `detect: true`")
    convention: Literal["documented", "internal"] | None = option(
        None,
        "meaning of columns `q` and `pa`: documented (b/a, rad east of north) or internal (sqrt(b/a), "
        "rad north of east); needed for a catalog that has them and does not say",
    )
    ext: str | int | None = option(None, "extension of a FITS file: name or number; the one with sources")
    flux_unit: str | None = option(
        None,
        "unit of the flux columns, as astropy writes it, or AB (magnitudes); else the columns' own, or nJy",
    )
    pixel_scale: float | None = option(None, "pixel in which the catalog's sizes are", "arcsec", gt=0)
    columns: dict[str, str | None] = option(
        {},
        "our names of columns to the catalog's: {rhalf_major: RE, sersic: N, g: FLUX_APER[0]}; "
        "null: there is none",
    )
    flux_columns: Annotated[str, AfterValidator(_template)] = option(
        "{band}", "name of the flux column of a band"
    )
    detect: bool = option(False, "make the catalog from the images")
    detect_nsigma: float = option(
        5.0, "threshold of that detection: a point source's S/N in all bands together", "sigma", gt=0
    )
    detect_bands: list[str] | None = option(None, "bands that sources are looked for in; all when absent")


# `from` is a word of Python's own: as an attribute it is read by getattr.
_FROM = option(
    "files",
    "files: PSF images of the table `psfs`; stars: those of the images themselves, for all images that "
    "have no PSF in a table, or no table",
)
_FIELDS: Any = {"from": (Literal["files", "stars"], _FROM)}
_WithFrom: Any = create_model("_WithFrom", __base__=Section, **_FIELDS)


class Psf(_WithFrom):
    """Where PSFs come from, and how their images become mixtures of Gaussians."""

    stars: str | None = option(
        None, "table of stars (ra, dec) to make PSFs of; none: those on the locus of sizes"
    )
    per: Literal["band", "exposure"] = option(
        "band", "PSFs from stars: one for all exposures of a band, or for each; a mosaic has its own"
    )
    max_cells: int = option(
        3, "PSFs from stars: most parts along each side of an image with a PSF of their own", ge=1, le=10
    )
    n_components: int | None = option(
        None, "number of Gaussians; chosen by the data when absent", ge=1, le=20
    )
    max_components: int = option(10, "most Gaussians when chosen by the data", ge=1, le=20)
    interpolation: Literal["nearest", "linear"] = option(
        "nearest", "PSF of a source between detector positions"
    )
    remainder: bool = option(
        True, "keep what the mixture leaves of the PSF image, and take it off the data at the sources' values"
    )
    center: Literal["auto", "stamp", "centroid"] = option(
        "auto",
        "the source's position in a PSF image: the stamp's middle, the centroid, or auto (the middle, unless "
        "the centroid is more than half a pixel off)",
    )


class Sersic(Section):
    """The table of Sersic profiles as mixtures of Gaussians."""

    table: str = option("default", "`default`, or path of a Sersic table (HDF5)")
    remake: bool = option(False, "fit the default table again (about a minute); else it is the shipped one")
    n_components: int = option(8, "Gaussians of a table that is made again", ge=5, le=12)


class Preprocess(Section):
    """How images become stores: calibration, masks, noise."""

    do_fluxcal: bool = option(True, "convert to nJy with the calibration in the header or the exposure table")
    bitmask: int = option(
        -1,
        "bits of the mask that reject a pixel (-1: any; of a JWST file's own DQ, DO_NOT_USE; of a mask that "
        "names its planes, mask_planes)",
        ge=-1,
    )
    mask_planes: tuple[str, ...] = option(
        BAD_PLANES, "planes that reject a pixel, of a mask that names them by keywords MP_* in its header"
    )
    max_snr: float | None = option(None, "cap on the S/N per pixel, all images", ge=1, le=1e9)
    noise_scale: Factor | Literal["measure"] = option(
        1.0,
        "factor on all uncertainties (0.01 to 100), or `measure`: from the correlated noise of blank pixels",
    )
    errors: Literal["expected", "as_given"] = option(
        "expected",
        "expected: where an image's errors follow the noise of their own pixels (Poisson noise of the counts "
        "themselves), which makes fluxes low, that part is taken from the neighbouring pixels",
    )
