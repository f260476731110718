"""The scene for the bias of fluxes: bright galaxies, far from each other."""

import numpy as np

from fpho.geometry import separation
from fpho.simulate.scenes import build_scene


def test_isolated_galaxies_are_isolated_and_bright():
    scene = build_scene("isolated", 3)
    rows = scene.truth
    distance = separation(rows["ra"][:, None], rows["dec"][:, None], rows["ra"][None], rows["dec"][None])
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 2.0
    assert len(rows) == 25 and scene.snr.min() >= 60 and not rows["is_point"].any()
    counts = np.histogram(rows["sersic"], [0.5, 1.5, 3.0, 6.0])[0]
    assert np.all(counts >= 7)
    for pointing in scene.pointings:
        x, y = pointing.wcs.world_to_pixel_values(rows["ra"], rows["dec"])
        ny, nx = pointing.camera.shape
        assert np.all((x > 10) & (x < nx - 10) & (y > 10) & (y < ny - 10))
