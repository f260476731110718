"""One Sersic profile with elliptical isophotes (Sersic 1968; Graham & Driver 2005, PASA 22, 118).

Numbers of the priors. Index: field samples have medians of 1-2 and a scatter of 0.5-0.7 in ln n (van der Wel
et al. 2012, ApJS 203, 24). Half-light radius: 0.1-0.7 arcsec at 0.5 < z < 3 for 1e9-1e11 solar masses,
scatter about 0.4 in ln at fixed mass (van der Wel et al. 2014, ApJ 788, 28); taken much wider. Ellipticity
components: 0.25-0.3 each (Leauthaud et al. 2007, ApJS 172, 219; Miller et al. 2013, MNRAS 429, 2858).
"""

from math import log

from .parameter import ANGLE, POSITIVE, RATIO, Component, Parameter, SourceModel

Q = Parameter(
    name="q",
    unit="",
    description="square root of the axis ratio, sqrt(b/a)",
    kind=RATIO,
    range=(0.2236, 1.0),  # b/a from 0.05: edge-on discs
    start=0.9,
    like="q",
    option="sqrtq_range",
    families={
        "normal": (0.8, 0.2),
        "lognormal": (log(0.8), 0.25),
        "student_t": (0.8, 0.2),
        "rayleigh": (0.0, 0.3),
    },
)
PA = Parameter(
    name="pa",
    unit="rad",
    description="position angle of the major axis, from east (+RA) towards north",
    kind=ANGLE,
    range=(-2.0, 2.0),
    start=0.0,
    option="pa_range",
)
INDEX = Parameter(
    name="sersic",
    unit="",
    description="Sersic index",
    kind=POSITIVE,
    range=(0.3, 8.0),  # what the shipped table of mixtures covers
    start=1.5,
    like="sersic",
    option="sersic_range",
    families={"lognormal": (log(1.5), 0.6), "normal": (1.5, 1.5), "student_t": (1.5, 1.0)},
)
RHALF = Parameter(
    name="rhalf",
    unit="arcsec",
    description="circularised half-light radius, sqrt(a b)",
    kind=POSITIVE,
    range=(0.01, 10.0),
    start=0.2,
    like="rhalf",
    option="rhalf_range",
    families={"lognormal": (log(0.3), 1.0), "normal": (0.3, 0.3), "student_t": (0.3, 0.3)},
)

SERSIC = SourceModel(
    name="sersic",
    parameters=(Q, PA, INDEX, RHALF),
    components=(Component(ellipse="q", sersic="sersic", rhalf="rhalf"),),
)
