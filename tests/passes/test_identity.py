"""What a patch depends on: exposures that it meets, their rows in tables; nothing that lies elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.wcs import WCS

from fpho.background.table import DTYPE, write_tweakbg
from fpho.config import make_config
from fpho.geometry import CircularRegion
from fpho.images import Exposure, write_store
from fpho.layout import Layout
from fpho.passes import identity
from fpho.passes.files import present_files
from fpho.passes.plan import PatchPlan
from fpho.passes.tasks import PatchTask
from fpho.registration import write_shifts
from tests.images.making import DEC, RA, header
from tests.passes import toy
from tests.scene.making import random_rows

HERE, AWAY = "here", "away"


def exposure(name: str, east: float = 0.0, value: float = 1.0) -> Exposure:
    """An image of 40 x 50 pixels of a value, some arcsec to the east."""
    head = header((40, 50))
    head["CRVAL1"] += east / 3600 / np.cos(np.radians(DEC))
    data = np.full((40, 50), value, "f4")
    return Exposure(name, "g", "exposure", data, np.ones_like(data), WCS(head), head)


class Folder:
    """A run with two exposures, of which the patch meets one, and tables of backgrounds and shifts."""

    def __init__(self, folder):
        self.layout = Layout(folder)
        self.config = make_config({"outdir": str(folder), "simulate.scene": "tiny"})
        self.images = {HERE: exposure(HERE), AWAY: exposure(AWAY, 100.0)}
        self.skies, self.moves = {HERE: 0.0, AWAY: 0.0}, {HERE: 0.0, AWAY: 0.0}

    def hash(self) -> str:
        """Hash of the patch, as the folder is now; files are written anew."""
        layout = self.layout
        write_store(layout.pixels("exposure"), layout.meta("exposure"), self.images.values())
        table = np.zeros(len(self.skies), DTYPE)
        table["exposure"], table["constant"] = list(self.skies), list(self.skies.values())
        write_tweakbg(layout.background, table)
        names = ("dx", "dy", "dx_error", "dy_error", "significance")
        rows = [
            {"exposure": name, "band": "g", "used": True} | dict.fromkeys(names, value)
            for name, value in self.moves.items()
        ]
        write_shifts(layout.registration, rows, "")
        files = present_files(self.config, layout, "sample")
        plan = PatchPlan(0, CircularRegion(RA, DEC, 0.5), (0,), (), (), 0, 0, 0, False)
        none = random_rows(1, seed=1)
        seed = np.random.SeedSequence(1)
        task = PatchTask(
            self.config, layout, "sample", files, plan, ("g", "r"), none, none[:0], none[:0], seed
        )
        return identity.task_hash(task, toy.fit)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "code_hash", lambda *modules, **options: "code")
    return Folder(tmp_path)


def test_what_lies_elsewhere_changes_nothing(folder):
    before = folder.hash()
    assert folder.hash() == before, "files of the same content, at another time"
    folder.images[AWAY] = exposure(AWAY, 100.0, value=2.0)
    folder.skies[AWAY] = folder.moves[AWAY] = 0.5
    assert folder.hash() == before
    folder.images["new"] = exposure("new", -100.0)
    folder.skies["new"] = 0.1
    assert folder.hash() == before
    folder.images["other band"] = replace(exposure("other band"), band="i")
    assert folder.hash() == before


@pytest.mark.parametrize("what", ["pixels", "noise", "psf", "wcs", "sky", "shift", "new", "gone", "band"])
def test_what_the_patch_meets_counts(folder, what):
    before, image = folder.hash(), folder.images[HERE]
    if what == "pixels":
        image.data[3, 4] += 1
    elif what == "noise":
        folder.images[HERE] = replace(image, noise_slope=0.1)
    elif what == "psf":
        folder.images[HERE] = replace(image, psf="another")
    elif what == "wcs":
        folder.images[HERE] = exposure(HERE, 0.01)
    elif what == "sky":
        folder.skies[HERE] = 0.2
    elif what == "shift":
        folder.moves[HERE] = 0.2
    elif what == "new":
        folder.images["new"] = exposure("new", 0.3)
    elif what == "gone":
        del folder.images[HERE]
    else:
        folder.images[HERE] = replace(image, band="r")
    assert folder.hash() != before
