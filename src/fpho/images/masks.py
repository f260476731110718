"""Bit masks: which bits say that a pixel is bad.

A mask may name its planes by keywords `MP_<name> = <bit>` (Rubin, HSC); then planes that only describe a
pixel, such as DETECTED, do not reject it.
"""

import logging

import numpy as np

from ..errors import InputError

log = logging.getLogger("fpho")
ALL_BITS = -1
MOST = 0.7  # of the sources: a mask that covers so many marks sources and not what is bad
COVERED = 2  # pixels: a source is covered where all within this distance in x and y are masked


def rejected(bits: np.ndarray, header, bitmask: int, planes, bad_bits: int, where) -> np.ndarray:
    """Pixels (ny, nx) bool that a mask rejects.

    Parameters
    ----------
    bits : (ny, nx) mask as read
    header : of the mask
    bitmask : bits that reject; ALL_BITS: those of the named planes, else `bad_bits`
    planes : names of planes that reject, where the mask names its own
    bad_bits : bits that the instrument says are bad; ALL_BITS where that is not known
    """
    bits = _integers(bits, where)
    named = {
        key[3:].upper(): _bit(key, value, where) for key, value in header.items() if key.startswith("MP_")
    }
    if bitmask == ALL_BITS and named:
        wanted = sum(1 << bit for name, bit in named.items() if name in planes)
        other = [name for name, bit in named.items() if name not in planes and np.any(bits & (1 << bit))]
        if other:
            log.info("%s: planes of the mask that do not reject a pixel: %s", where, ", ".join(other))
        return (bits & wanted) != 0
    return (bits & (bad_bits if bitmask == ALL_BITS else bitmask)) != 0


def check_sources(mask: np.ndarray, xy: np.ndarray, where) -> None:
    """Stop at a mask (ny, nx) that covers most sources, at pixels xy (S, 2), but not most of the image.

    Raises
    ------
    InputError
        With how many it covers.
    """
    ny, nx = mask.shape
    inside = np.all(np.isfinite(xy), axis=1) & np.all((xy > -0.5) & (xy < [nx - 0.5, ny - 0.5]), axis=1)
    places = np.round(xy[inside]).astype(int)
    reach = COVERED
    covered = [
        bool(mask[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].all())
        for x, y in places
    ]
    part = np.mean(covered) if covered else 0.0
    if part >= MOST and part > 1.5 * mask.mean():
        found = (
            f"the mask covers {sum(covered)} of {len(covered)} sources, but {mask.mean():.0%} of the image"
        )
        cure = "It may mark sources: give preprocess.bitmask (bits that reject a pixel) or another mask"
        raise InputError(where, found, cure)


def _bit(key: str, value, where) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 63:
        raise InputError(where, f"{key} = {value!r} is no bit of a mask", "Mend the keyword, from 0 to 62")
    return value


def _integers(bits: np.ndarray, where) -> np.ndarray:
    if not np.all(np.isfinite(bits)) or not np.all(bits == np.round(bits)):
        found = "a mask with values that are not integers"
        raise InputError(where, found, "Give an integer bit mask, 0 = good, as mask_path and mask_ext")
    if np.any(bits == -1):  # it has all bits; what gives it to pixels numbers sources or blobs
        found = "a mask with values of -1, as a map of blobs or segments has where there is none"
        raise InputError(where, found, "Give an integer bit mask, 0 = good, as mask_path and mask_ext")
    return bits.astype("i8")
