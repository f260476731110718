"""What is known of an instrument's files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..keywords import Keywords, Statement
from ..masks import ALL_BITS
from ..wcs import asdf_bytes

# Extensions of any file that hold uncertainties, the preferred first, and what they hold.
UNCERTAINTIES = {
    "ERR": "sigma",
    "WHT": "weight",
    "VARIANCE": "variance",
    "VAR": "variance",
    "IVAR": "ivar",
    "INVVAR": "ivar",
    "RMS": "sigma",
    "WEIGHT": "weight",
    "WGT": "weight",
    "UNC": "sigma",
    "SIGMA": "sigma",
}
MASKS = ("DQ", "MASK", "MSK")


@dataclass(frozen=True)
class Instrument:
    """How the files of an instrument are known and read, beside what holds for all files.

    name : as in the column `reader` of the table of exposures
    known_by : keywords of the primary header and their values, in capitals; all must be there. Without any,
        only the column `reader` chooses the instrument
    science : name of the science extension; None, or not in a file: SCI, else the first image
    own_uncertainties : names of extensions that are looked for before the usual ones, and what they hold:
        `sigma`, `variance`, `ivar` or `weight`
    own_masks : the same for masks
    bad_bits : bits that say that a pixel is bad, in the mask that an image's own file holds; a mask that
        names its planes (`MP_*`) goes by these names
    statements : functions from a header's `Keywords` to what they state of the factor to nJy; FLUXSCL, units
        and AB zeropoints are read of all files
    everywhere : whether these keywords are read in the files of all instruments, since they mean the same
        in each, and mosaics and cut-outs lose the instrument's name
    area_ext : extension with relative areas of pixels (ny, nx), which multiply a surface brightness
    gwcs : function from the extensions of a file to an ASDF file's bytes with the exact WCS, or b""
    """

    name: str
    known_by: Mapping[str, str] = field(default_factory=dict)
    science: str | None = None
    own_uncertainties: Mapping[str, str] = field(default_factory=dict)
    own_masks: tuple[str, ...] = ()
    bad_bits: int = ALL_BITS
    statements: tuple[Callable[[Keywords], list[Statement]], ...] = ()
    everywhere: bool = False
    area_ext: str | None = None
    gwcs: Callable[..., bytes] = asdf_bytes

    @property
    def uncertainties(self) -> dict[str, str]:
        """Names of extensions, the preferred first, and what they hold."""
        own = dict(self.own_uncertainties)
        return own | UNCERTAINTIES | own

    @property
    def masks(self) -> tuple[str, ...]:
        """Names of extensions, the preferred first."""
        return *self.own_masks, *MASKS

    def made(self, header) -> bool:
        """Whether a file with this primary header is known as the instrument's."""
        return bool(self.known_by) and all(
            str(header.get(key, "")).strip().upper() == value for key, value in self.known_by.items()
        )
