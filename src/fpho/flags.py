"""Quality flags of sources and patches: one registry for code, tables and documentation."""

from enum import IntFlag


class Flag(IntFlag):
    """Bits of the `flags` column; `DESCRIPTIONS` says what each means."""

    OPTIMIZE_FAILED = 1 << 0
    AT_BOUND = 1 << 1
    PRIOR_DOMINATED = 1 << 2
    NOT_CONVERGED = 1 << 3
    DIVERGENCES = 1 << 4
    HARD_POSTERIOR = 1 << 5
    POOR_PSF = 1 << 6
    NO_DATA = 1 << 7
    DETECTED_IN_RESIDUAL = 1 << 8
    TRUNCATED_PATCH = 1 << 9
    MISSING_BAND = 1 << 10
    POOR_FIT = 1 << 11
    NO_DRAWS = 1 << 12
    LIGHT_OUTSIDE = 1 << 13
    NEIGHBOUR_UNSETTLED = 1 << 14
    PRIOR_PULLED = 1 << 15
    INDEX_FROM_PRIOR = 1 << 16


DESCRIPTIONS = {
    Flag.OPTIMIZE_FAILED: "the optimizer stopped before the optimum, for another reason than convergence",
    Flag.AT_BOUND: "a parameter lies, or its draws pile up, at the edge of its allowed range",
    Flag.PRIOR_DOMINATED: "the posterior of the size is that of its prior, and the total flux hangs on it",
    Flag.NOT_CONVERGED: "the chains missed R-hat or effective samples, or draws of a cut group still moved",
    Flag.DIVERGENCES: "the sampler reported divergences",
    Flag.HARD_POSTERIOR: "not accepted, and 1.7 times as wide as the Fisher matrix says: do not trust widths",
    Flag.POOR_PSF: "the PSF mixture, with what it leaves taken off where that is known, misses its limits",
    Flag.NO_DATA: "no unmasked pixel at the source's place in any exposure",
    Flag.DETECTED_IN_RESIDUAL: "added by detection in the residual images",
    Flag.TRUNCATED_PATCH: "the source's group was cut into several patches",
    Flag.MISSING_BAND: "no unmasked pixel near the source in at least one band; that flux is the prior's",
    Flag.POOR_FIT: "residuals far above the noise near the source, under its light, around it, or everywhere",
    Flag.NO_DRAWS: "no posterior draws, as its patch failed: values and flux errors are those of the optimum",
    Flag.LIGHT_OUTSIDE: "more than 1% of the model's light lies beyond the pixels used, and could be seen",
    Flag.NEIGHBOUR_UNSETTLED: "a source beside it, fixed meanwhile, failed or still moved when it was fitted",
    Flag.PRIOR_PULLED: "a flux, or an image's background at the source, is beyond 3 sigma of its prior",
    Flag.INDEX_FROM_PRIOR: "the data say nothing about the Sersic index: as expected of faint sources",
}


REMARKS = Flag.DETECTED_IN_RESIDUAL | Flag.TRUNCATED_PATCH | Flag.INDEX_FROM_PRIOR
"""Flags that put no measured flux, position or size in doubt: what selects good sources leaves them out."""


def describe(value: int) -> list[str]:
    """Names of the bits set in `value`, lowest first."""
    return [flag.name for flag in Flag if value & flag]
