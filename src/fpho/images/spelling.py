"""Units of images as headers spell them, read by astropy.units.

The FITS standard asks for one spelling, files have many: `ELECTRONS/S`, `cps`, `10.0*nanoJansky`, `e-/s`,
`counts/sec`, `nanomaggies`. Words are brought to astropy's names first, the rest is astropy's.
"""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from ..errors import InputError

CURE = "Mend BUNIT, or give flux_scale (nJy per unit of the image) in the table of exposures"
# Lower case to astropy's name; words that stand here with their case alone in `EXACT`.
WORDS = {
    **dict.fromkeys(("electron", "electrons", "photoelectrons", "e"), "electron"),
    **dict.fromkeys(("count", "counts", "cnt", "cnts", "cts", "ct"), "ct"),
    **dict.fromkeys(("adu", "adus"), "adu"),
    **dict.fromkeys(("dn", "dns"), "DN"),
    **dict.fromkeys(("photon", "photons", "ph"), "photon"),
    **dict.fromkeys(("sec", "secs", "second", "seconds", "s"), "s"),
    **dict.fromkeys(("pixel", "pixels", "pix"), "pix"),
    **dict.fromkeys(("sr", "ster", "steradian", "steradians"), "sr"),
    **dict.fromkeys(("arcsec", "arcsecs", "arcsecond", "arcseconds", "asec"), "arcsec"),
    **dict.fromkeys(("nanomaggy", "nanomaggies", "nmgy"), "abnanomaggy"),
    **dict.fromkeys(("maggy", "maggies", "mgy"), "abmaggy"),
    **dict.fromkeys(("erg", "ergs"), "erg"),
    **dict.fromkeys(("a", "ang", "angs", "angstrom", "angstroms"), "Angstrom"),
    **dict.fromkeys(("hz", "hertz"), "Hz"),
    "njy": "nJy",
    "ujy": "uJy",
    "jy": "Jy",
    **dict.fromkeys(("mujy", "microjy"), "uJy"),
    "cps": "ct s-1",
    "cm": "cm",
}
PREFIXES = {"": "", "nano": "n", "micro": "u", "milli": "m", "kilo": "k", "mega": "M"}
COUNTED = ("electron", "ct", "adu", "DN", "photon")


@dataclass(frozen=True)
class ImageUnit:
    """`scale` is in nJy for a `flux`, in nJy Hz / Angstrom for one `per wavelength`,
    in counts or counts/s for `counts` and `rate`; per sr where `per_area`.
    """

    kind: str  # flux, per wavelength, counts, rate
    scale: float
    per_area: bool = False


@lru_cache(maxsize=256)
def image_unit(text, where="header") -> ImageUnit | None:
    """The unit that BUNIT names; None where it is empty or a pure number.

    Raises
    ------
    InputError
        For what is no unit, or one that no image of light in a linear scale has.
    """
    if text is None or not str(text).strip():
        return None
    import astropy.units as u

    unit = _parsed(str(text), where)
    logarithmic = {u.mag, u.dex, u.dB} & set(getattr(unit, "bases", ()) or (unit,))
    if logarithmic or isinstance(unit, u.function.FunctionUnitBase):
        raise InputError(where, f"BUNIT {text!r} is logarithmic", "Give an image that is linear in flux")
    unit = _without(_without(unit, u.pix), u.chan)
    for per_area, area in ((False, u.dimensionless_unscaled), (True, u.sr)):
        kind = _kind(unit * area)
        if kind is not None:
            if str(text).strip() == "MJy":  # of an image in MJy/sr that lost its /sr
                raise InputError(where, f"BUNIT {text!r} of a pixel is not plausible: MJy/sr or mJy?", CURE)
            return ImageUnit(*kind, per_area=per_area)
    if unit.is_equivalent(u.dimensionless_unscaled):
        return None
    raise InputError(where, f"BUNIT {text!r} is no unit of flux, surface brightness or counts", CURE)


def _kind(unit):
    """(kind, scale) of a unit per pixel, None for others."""
    import astropy.units as u

    if unit.is_equivalent(u.nJy):
        return "flux", _round(unit.to(u.nJy))
    if unit.is_equivalent(u.erg / u.s / u.cm**2 / u.AA):
        return "per wavelength", _round(unit.to(u.nJy * u.Hz / u.AA))
    for name in COUNTED:
        for kind, per in (("counts", u.dimensionless_unscaled), ("rate", 1 / u.s)):
            if unit.is_equivalent(u.Unit(name) * per):
                return kind, _round(unit.to(u.Unit(name) * per))
    return None


def _round(scale) -> float:
    """Powers of ten as they are written, without the round-off of their conversion."""
    return float(f"{scale:.13g}")


def _without(unit, base):
    """The unit, `per pixel` being the same as none."""
    powers = dict(zip(unit.bases, unit.powers, strict=True)) if hasattr(unit, "bases") else {}
    return unit * base if powers.get(base) == -1 else unit


def _parsed(text: str, where):
    import astropy.units as u

    cleaned = _cleaned(text, where)
    maggies = [u.def_unit("abmaggy", 3631 * u.Jy), u.def_unit("abnanomaggy", 3631 * u.nJy)]
    with warnings.catch_warnings(), u.add_enabled_units(maggies):
        warnings.simplefilter("ignore", u.UnitsWarning)
        for form in (None, "fits"):
            try:
                return u.Unit(cleaned, format=form)
            except (ValueError, TypeError):
                continue
    raise InputError(where, f"BUNIT {text!r} is no unit that is known", CURE)


def _cleaned(text: str, where) -> str:
    """Words in astropy's spelling."""
    text = text.strip().strip("[]'\"").strip()
    text = re.sub(r"\bper\b", "/", text, flags=re.IGNORECASE)
    text = re.sub(r"\be-(?=\s*([/*.)]|$|s))", "electron ", text, flags=re.IGNORECASE)
    text = re.sub(r"\bsq(?:uare)?[. ]*(arcsec\w*)", r"\1**2", text, flags=re.IGNORECASE)
    text = text.replace("µ", "u").replace("μ", "u").replace("Å", "Angstrom").replace("²", "2")
    return re.sub(r"[A-Za-z]+", lambda found: _word(text, found, where), text)


def _word(text, found, where) -> str:
    word = found.group()
    before = text[: found.start()]
    if word in ("e", "E") and before[-1:].isdigit():
        return word  # of a number, 1e-8
    if word == "MJY" or word == "mjy":
        found = f"BUNIT {text!r} may mean MJy or mJy, a factor of 1e9"
        raise InputError(where, found, CURE)
    lower = word.lower()
    jansky = re.fullmatch(r"([a-z]*)jansk(?:y|ys|ies)", lower)
    if jansky and jansky[1] in PREFIXES:
        return PREFIXES[jansky[1]] + "Jy"
    return WORDS.get(lower, word)
