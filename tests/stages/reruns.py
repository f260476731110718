"""What is to run again after a change of each option: said once more, not taken from the registry."""

import itertools

FITS = {"optimize", "reoptimize", "sample"}

# Section or option: stages whose own results it changes; an option of its own line goes before its section.
FIRST = {
    "outdir": set(),
    "seed": {"simulate", "postprocess", "calibrate"} | FITS,
    "kernel": {"check"} | FITS,
    "bands": {"check", "psf", "preprocess", "scene"},
    "images": {"check", "psf", "preprocess", "scene"},
    "psfs": {"check", "psf"},
    "catalog": {"check", "scene"},
    "psf.center": {"check", "psf", "calibrate"},
    "psf.interpolation": {"scene", "background", "detect", "postprocess", "view", "calibrate"} | FITS,
    "psf.from": {"check", "psf", "calibrate"},
    "psf.stars": {"check", "psf", "calibrate"},
    "psf.per": {"check", "psf", "calibrate"},
    "psf": {"psf", "calibrate"},
    "sersic.table": {"check", "sersic"},
    "sersic": {"sersic"},
    "preprocess": {"check", "psf", "preprocess"},
    "bounds.sersic_range": {"check", "sersic", "scene", "detect", "calibrate"} | FITS,
    "bounds.rhalf_range": {"check", "sersic", "scene", "detect", "calibrate"} | FITS,
    "bounds.sqrtq_range": {"check", "scene", "detect", "calibrate"} | FITS,
    "bounds": {"check", "calibrate"} | FITS,
    "priors": {"check", "calibrate"} | FITS,
    "model": FITS,
    "patches.default_roi": {"check", "scene", "detect"} | FITS,
    "patches": FITS,
    "optimize.on": {"scene", "optimize", "background", "detect", "reoptimize", "calibrate"},
    "optimize": {"optimize", "reoptimize", "calibrate"},
    "background.mode": {"scene", "background"} | FITS,
    "background.prior_sigma": FITS,
    "background.tweakbg": {"check", "scene", "optimize", "background"},
    "background.reoptimize": {"reoptimize"},
    "background.nsigma": {"scene", "background"},
    "background": {"background"},
    "registration.table": {"check", "optimize", "background"},
    "registration": {"background"},
    "detect.bands": {"check", "detect"},
    "detect": {"detect"},
    "sample.on": {"scene", "background", "sample", "calibrate"},
    "sample.max_rhat": {"sample", "postprocess", "calibrate"},
    "sample.min_ess": {"sample", "postprocess", "calibrate"},
    "sample": {"sample", "calibrate"},
    "postprocess": {"postprocess"},
    "page.enabled": set(),
    "page": {"view"},
    "simulate": {"simulate", "check", "psf", "preprocess", "scene"},
    "calibrate": {"calibrate"},
    "inject": set(),
    "workflow": set(),
}
# From the first state of the scene on, each stage follows from the one before.
CHAIN = ["optimize", "background", "detect", "reoptimize", "postop", "sample", "postprocess"]
FOLLOWERS = {
    "simulate": {"check", "psf", "preprocess", "scene"},
    "check": {"settings", "sersic", "psf", "preprocess", "scene", "inject"},
    "sersic": {"scene", "inject"},
    "psf": {"scene", "inject"},
    "preprocess": {"scene"},
    "scene": {"optimize"},
    "postprocess": {"view", "compare"},
    **{one: {other} for one, other in itertools.pairwise(CHAIN)},
    "sample": {"postprocess", "learn"},
}
ALWAYS = {"settings", "inject", "calibrate_field"}  # these depend on every option


def expected(option: str) -> set[str]:
    """Stages that run again after a change of one option (`section.option`, or one that is in no section)."""
    first = FIRST[option] if option in FIRST else FIRST[option.partition(".")[0]]
    return ALWAYS | with_followers(first)


def with_followers(stages: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = set(stages)
    while waiting:
        stage = waiting.pop()
        found.add(stage)
        waiting |= FOLLOWERS.get(stage, set()) - found
    return found
