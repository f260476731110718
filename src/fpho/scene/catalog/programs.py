"""Names under which other programs write what `fpho` needs, in the order in which they are tried.

SExtractor (User's guide, "Parameters"), photutils before and since 3.0 (`SourceCatalog`), the Tractor and
the Legacy Surveys, VizieR. A name is compared without regard to case where only one column fits.
"""

NAMES = {
    "ra": (
        *("ra", "ALPHA_J2000", "ALPHAWIN_J2000", "ALPHAPEAK_J2000", "sky_centroid.ra", "sky_centroid_win.ra"),
        *("RAJ2000", "RA_ICRS", "X_WORLD", "XWIN_WORLD"),
    ),
    "dec": (
        *("dec", "DELTA_J2000", "DELTAWIN_J2000", "DELTAPEAK_J2000", "sky_centroid.dec"),
        *("sky_centroid_win.dec", "DEJ2000", "DE_ICRS", "Y_WORLD", "YWIN_WORLD"),
    ),
    "id": ("id", "NUMBER", "label", "objid", "source_id", "object_id"),
    "sersic": ("sersic", "sersic_n"),
    "position_angle": ("position_angle", "THETA_J2000", "THETAWIN_J2000"),
    "axis_ratio": ("axis_ratio", "b_a", "ba"),
    "ellipticity": ("ellipticity",),  # 1 - b/a
    "elongation": ("elongation",),  # a / b
    "major": ("A_WORLD", "AWIN_WORLD", "A_IMAGE", "AWIN_IMAGE", "semimajor_sigma", "semimajor_axis"),
    "minor": ("B_WORLD", "BWIN_WORLD", "B_IMAGE", "BWIN_IMAGE", "semiminor_sigma", "semiminor_axis"),
    "e1": ("shape_e1",),
    "e2": ("shape_e2",),
    "rhalf": ("rhalf",),
    "rhalf_major": ("rhalf_major", "shape_r"),
    "flux_radius": ("FLUX_RADIUS", "fluxfrac_radius", "half_light_radius"),  # pixels
}

# Fluxes and their errors, tried where no column is named as the band; only with a unit that is known.
BAND_FLUXES = (
    ("flux_{band}", ("flux_{band}_err", "fluxerr_{band}")),
    ("{band}_flux", ("{band}_flux_err", "{band}_fluxerr")),
    ("mag_{band}", ("magerr_{band}", "mag_{band}_err")),
    ("f_{band}", ("e_{band}",)),
)
ONLY_FLUXES = (  # of programs that measure one image at a time
    ("kron_flux", ("kron_flux_err", "kron_fluxerr")),
    ("segment_flux", ("segment_flux_err", "segment_fluxerr")),
    ("FLUX_AUTO", ("FLUXERR_AUTO",)),
    ("MAG_AUTO", ("MAGERR_AUTO",)),
    ("source_sum", ("source_sum_err",)),
)
INVERSE_VARIANCE = "flux_ivar_{band}"  # of the Tractor

# Types of sources: whether a point, and the Sersic index where the type says it (Tractor).
TYPES = {
    "SER": (False, None),
    "GALAXY": (False, None),
    "EXP": (False, 1.0),
    "REX": (False, 1.0),
    "SIMP": (False, 1.0),
    "DEV": (False, 4.0),
    "COMP": (False, 2.0),
    "PSF": (True, None),
    "POINT": (True, None),
    "STAR": (True, None),
}
DUPLICATE = "DUP"  # the Tractor's entry for a star of Gaia that it fitted as something else


def find(role: str, names) -> str | None:
    """The column, of those named `names`, that holds `role` (a key of NAMES, or a column's own name)."""
    folded: dict[str, list[str]] = {}
    for name in names:
        folded.setdefault(name.lower(), []).append(name)
    for wanted in NAMES.get(role, (role,)):
        if wanted in names:
            return wanted
        same = folded.get(wanted.lower(), [])
        if len(same) == 1:
            return same[0]
    return None
