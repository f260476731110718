"""Objects of a map of significance: found, deblended and cleaned by SEP (Barbary 2016, JOSS 1, 58).

SEP is SExtractor's algorithms as a library (Bertin & Arnouts 1996, A&AS 117, 393).
"""

from dataclasses import dataclass

import numpy as np
import sep

GROUND = 0.5  # of the threshold: how far down an object reaches
LEVELS = 32  # between which objects are told apart
CONTRAST = 0.001  # of the light, that a branch needs to be an object of its own
# What has less than MINOR of the light of a brighter object, within DISC root mean squares of it, is a knot
# or an arm of it, unless the valley between the two is below VALLEY of its own peak; BODY: nearer in.
MINOR = 0.25
DISC, VALLEY = 5.5, 0.35
BODY, BODY_VALLEY = 3.3, 0.2
PIXELS = 3  # of an object, at the least
SUB_OBJECTS = 16384  # of one connected patch of light; SEP's own limit is 1024
FEATURE = 0.02  # of a peak beside a bright one: below, it is taken for a spike or a ring of its PSF
WINGS = 12.0  # sigmas of the PSF's core: how far "beside" is


@dataclass(frozen=True)
class Objects:
    """Objects on a map (N,), brightest first; positions and axes in its pixels."""

    x: np.ndarray
    y: np.ndarray
    snr: np.ndarray  # at the peak
    a: np.ndarray  # root mean squares along the axes of what is above the ground
    b: np.ndarray
    theta: np.ndarray  # of the major axis, from x towards y, rad
    label: np.ndarray  # in `labels`
    labels: np.ndarray  # (ny, nx) int: which object each pixel of the map is of

    def only(self, which) -> "Objects":
        """Some of them; the map of labels stays."""
        names = ("x", "y", "snr", "a", "b", "theta", "label")
        return Objects(*(getattr(self, name)[which] for name in names), self.labels)


def extract(snr: np.ndarray, nsigma: float, core: float) -> Objects:
    """Objects of a map (ny, nx), smoothed with the PSF, that peak above `nsigma`.

    core : sigma of the PSF's core in pixels of the map
    """
    image = np.ascontiguousarray(snr, "f4")
    sep.set_sub_object_limit(SUB_OBJECTS)
    sep.set_extract_pixstack(max(300_000, image.size))
    found, labels = sep.extract(
        image,
        GROUND * nsigma,
        minarea=PIXELS,
        filter_kernel=None,
        deblend_nthresh=LEVELS,
        deblend_cont=CONTRAST,
        segmentation_map=True,
    )
    order = np.argsort(-found["peak"], kind="stable")
    order = order[found["peak"][order] >= nsigma]
    one = found[order]
    x, y = _centres(image, one["xpeak"].astype("f8"), one["ypeak"].astype("f8"), core)
    host = _hosts(image, x, y, one, WINGS * core)
    own = np.arange(len(one))
    label = np.arange(len(found) + 1, dtype=labels.dtype)
    for i in own:  # a host is brighter and comes before
        label[order[i] + 1] = label[order[host[i]] + 1]
    axes = (one[name].astype("f8") for name in ("peak", "a", "b", "theta"))
    return Objects(x, y, *axes, order + 1, label[labels]).only(host == own)


def _centres(image, x, y, core):
    """Positions by windowed centroids; the peak's pixel where that walks off."""
    if not len(x):
        return x, y
    x_new, y_new, flag = sep.winpos(image, x, y, np.full(len(x), core))
    stays = (flag == 0) & (np.hypot(x_new - x, y_new - y) < max(1.5, core))
    return np.where(stays, x_new, x), np.where(stays, y_new, y)


def _hosts(image, x, y, found, reach: float) -> np.ndarray:
    """Which object (N,) each one is a part of: itself, or a brighter one.

    found : SEP's rows, by falling peak. reach : pixels within which the features of a PSF lie
    """
    host = np.arange(len(x))
    if len(x) < 2:
        return host
    from scipy.spatial import cKDTree  # slow to import

    tree = cKDTree(np.stack([x, y], axis=1))
    for j in range(len(x)):
        near = np.array(tree.query_ball_point([x[j], y[j]], max(reach, DISC * found["a"][j])))
        near = near[(near > j) & (host[near] == near)]
        dx, dy, one, other = x[near] - x[j], y[near] - y[j], found[j], found[near]
        ellipse2 = one["cxx"] * dx**2 + one["cyy"] * dy**2 + one["cxy"] * dx * dy
        knot = (ellipse2 < DISC**2) & (other["flux"] < MINOR * one["flux"])
        allowed = np.where(ellipse2 < BODY**2, BODY_VALLEY, VALLEY) * other["peak"]
        valley = [_valley(image, x[[i, j]], y[[i, j]]) for i in near[knot]]
        knot[knot] = valley > allowed[knot]
        feature = (np.hypot(dx, dy) < reach) & (other["peak"] < FEATURE * one["peak"])
        host[near[knot | feature]] = host[j]
    return host


def _valley(image, x, y) -> float:
    """Lowest value on the straight line between two places (2,)."""
    steps = np.linspace(0, 1, 2 * int(np.hypot(*np.diff([x, y], axis=1)[:, 0])) + 2)
    line = [np.round(at[0] + (at[1] - at[0]) * steps).astype(int) for at in (y, x)]
    return float(image[tuple(line)].min())
