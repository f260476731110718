"""What a pass over patches will do and take, before it runs: in words, and as a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import Config
from ..errors import InputError
from ..extras import installed
from ..layout import Layout
from ..passes.batches import make_plan
from ..passes.logs import logs_in
from ..passes.needs import PlannedShare
from ..passes.pending import pending
from ..passes.plan import Plan
from ..products.plots.plan import plot_plan
from ..progress import duration
from ..scene import read_scene
from .registry import STAGES

SHOWN = 5  # patches that take longest


@dataclass(frozen=True)
class Outlook:
    """The plan of a pass on a state of the scene, the cores of a job, and how long past patches took."""

    stage: str
    state: Path
    rows: np.ndarray  # scene rows (S,)
    plan: Plan
    took: dict[tuple[str, ...], float]  # seconds by the ids of a patch's sources, of an earlier pass
    waiting: list | None = None  # patches of the first colour that is not done; None: nobody has looked

    @property
    def ratio(self) -> np.ndarray:
        """Predicted over real seconds of the patches that an earlier pass did."""
        first = [patch for patch in self.plan.patches if not patch.round]
        done = [(patch.seconds, self.took.get(self._ids(patch), 0.0)) for patch in first]
        return np.array([one / real for one, real in done if real > 0])

    def _ids(self, patch) -> tuple[str, ...]:
        return tuple(map(str, self.rows["id"][list(patch.active)]))

    def __str__(self) -> str:
        patches = self.plan.patches
        seconds = np.array([patch.seconds for patch in patches])
        sizes = [len(patch.active) for patch in patches]
        cut = sum(patch.truncated for patch in patches)
        lines = [
            f"{self.stage}, on {self.state}",
            f"{sum(self.rows['is_valid'])} sources; {len(patches)} patches of at most {max(sizes, default=0)}"
            f" sources, {cut} of groups that were cut; {self.plan.n_colours} colours",
            f"about {duration(seconds.sum())} of one core, {duration(max(seconds, default=0.0))} the longest",
            "step  colours  patches  jobs  longest job  memory",
            *self._steps(),
            "patches that take longest:",
        ]
        for index in np.argsort(-seconds, kind="stable")[:SHOWN]:
            patch = patches[index]
            ra, dec, radius = patch.region.ra, patch.region.dec, patch.region.radius
            text = f"{sizes[index]} sources and {len(patch.halo)} along, {patch.pixels / 1e6:.2g} Mpix"
            lines.append(
                f'  {index}: {duration(seconds[index])}, {text}, at {ra:.5f} {dec:+.5f}, {radius:.1f}"'
            )
        if len(self.ratio):
            low, middle, high = np.percentile(self.ratio, [16, 50, 84])
            text = f"predicted over real time of {len(self.ratio)} patches that were done: {middle:.2f}"
            lines.append(f"{text}, two of three within {low:.2f} to {high:.2f}")
        return "\n".join([*lines, *self._waiting()])

    def _waiting(self):
        if self.waiting is None:
            return
        seconds = duration(sum(patch.seconds for patch in self.waiting))
        yield f"not fitted yet: {len(self.waiting)} patches, about {seconds} of one core"
        if self.waiting and self.waiting[0].colour + 1 < self.plan.n_colours:
            yield "and those of later colours that see what changes"

    def _steps(self):
        for step in sorted({patch.step for patch in self.plan.patches}):
            some = [patch for patch in self.plan.patches if patch.step == step]
            colours = sorted({patch.colour for patch in some})
            jobs = [[p for p in some if p.batch == batch] for batch in sorted({p.batch for p in some})]
            longest = max(sum(patch.seconds for patch in job) for job in jobs)
            memory = max(PlannedShare.of(job).needs(1)["mem_mb"] for job in jobs)
            text = str(colours[0]) if len(colours) == 1 else f"{colours[0]}-{colours[-1]}"
            counts = f"{step:4d}  {text:>7s}  {len(some):7d}  {len(jobs):4d}"
            yield f"{counts}  {duration(longest):>11s}  {memory} MB"


def outlook(config: Config, layout: Layout, stage: str = "sample", waiting: bool = False) -> Outlook:
    """The outlook of a pass on the latest state of the scene that is there.

    waiting : see which patches are not fitted yet; takes some milliseconds for each

    Raises
    ------
    InputError
        If there is no such pass, or no state of the scene.
    """
    passes = [name for name, one in STAGES.items() if one.is_pass]
    if stage not in passes:
        raise InputError("--stage", f"{stage!r} is no pass over patches", f"Give one of {', '.join(passes)}")
    states = [layout.state_before(name) for name in reversed(passes[: passes.index(stage) + 1])]
    state = next((path for path in states if path.is_file()), None)
    if state is None:
        cure = "Run `fpho run CONFIG scene` first, which takes minutes"
        raise InputError(states[-1], "no state of the scene is there yet", cure)
    rows, bands, _ = read_scene(state)
    log = layout.patch_log(stage)
    entries = logs_in(log) if log.is_file() else iter(())
    took = {entry.active: entry.seconds for entry in entries if entry.seconds}
    made = make_plan(config, layout, stage, rows, bands)
    some = pending(config, layout, stage, made, made.chosen("all", 0), rows, bands) if waiting else None
    return Outlook(stage, state, rows, made, took, some)


def draw(found: Outlook, path: Path) -> str:
    """Draw the plan, where there is something to draw with; what became of it, in words."""
    if not installed("matplotlib"):
        return "no picture: matplotlib is not installed"
    plot_plan(path, found.rows, found.plan.patches, f"{found.stage}: {len(found.plan.patches)} patches")
    return f"picture: {path}"
