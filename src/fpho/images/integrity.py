"""A FITS file read to its last pixel: whether it is whole, and what its own checksums say."""

import logging
import warnings
from pathlib import Path

from astropy.io import fits
from astropy.io.fits.verify import VerifyError
from astropy.utils.exceptions import AstropyUserWarning

from ..errors import InputError
from .opening import open_fits

log = logging.getLogger("fpho")
CURE = "The file is damaged or was cut off: copy it again from its source"


def check_file(path: Path) -> None:
    """Read all extensions of a FITS file; CHECKSUM and DATASUM are verified where the headers have them.

    Raises
    ------
    InputError
        For a file that is cut off, cannot be decompressed, or does not fit its checksums.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_fits(path):
            pass  # what is missing or no FITS file at all has a message of its own
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with fits.open(path, memmap=False, checksum=True, lazy_load_hdus=False) as hdus:
                sealed = all("DATASUM" in hdu.header for hdu in hdus if "CHECKSUM" in hdu.header)
                for index, hdu in enumerate(hdus):
                    _read(hdu, f"{path}[{hdu.name or index}]")
    # what astropy and the decompressors raise for streams that end too early or make no sense
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        VerifyError,
    ) as error:
        raise InputError(path, f"cannot be read to its end ({error})", CURE) from None
    _judge([str(one.message) for one in said if issubclass(one.category, AstropyUserWarning)], sealed, path)


def _judge(texts: list[str], sealed: bool, path) -> None:
    """Stop at what astropy said of damage; a header that was edited after its checksum is only said.

    sealed : whether all data have a checksum of their own (DATASUM)
    """
    for text in texts:
        if "truncated" in text:
            raise InputError(path, f"cut off: {text}", CURE)
        if "Datasum verification failed" in text or ("verification failed" in text and not sealed):
            raise InputError(path, f"does not fit its own checksums: {text.strip()}", CURE)
    for text in texts:
        if "Checksum verification failed" in text:
            log.warning("%s: %s; its data are whole: a header was edited since", path, text.strip(". \n"))


def _read(hdu, where: str) -> None:
    """Load the data of an extension; a compressed image is decompressed."""
    if hdu.header.get("NAXIS", 0) and hdu.data is None:
        raise InputError(where, "no data although the header announces them", CURE)
