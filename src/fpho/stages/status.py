"""How far a run is: its stages, the records of its jobs, and at the end a verdict in words."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..layout import Layout
from ..locks import lives
from ..progress import duration, pace
from .registry import STAGES
from .stage import ConfiguredRun

APART = ("calibrate", "calibrate_field", "inject", "learn")  # targets of their own
STATES = {
    "done": "done",
    "running": "running",
    "stopped": "stopped",
    "failed": "failed",
    "waiting": "waiting",
}


@dataclass(frozen=True)
class StageStatus:
    """One stage: its state, one of STATES; and the records of its jobs that are running or stopped."""

    name: str
    state: str
    jobs: tuple[dict, ...] = ()

    def __str__(self) -> str:
        return f"{self.name:12s} {self.state}{''.join(f'; {job_text(job)}' for job in self.jobs)}"


@dataclass(frozen=True)
class Status:
    """All stages of a run."""

    layout: Layout
    stages: tuple[StageStatus, ...]

    @property
    def state(self) -> str:
        """`finished`, `running`, `failed`, or `stopped` (begun, and nobody is at work)."""
        states = {stage.state for stage in self.stages}
        if states == {"done"}:
            return "finished"
        return next((one for one in ("running", "failed") if one in states), "stopped")

    @property
    def headline(self) -> str:
        """One line: how many stages are done, and what the running ones are at."""
        done = sum(stage.state == "done" for stage in self.stages)
        busy = [stage for stage in self.stages if stage.state == "running"]
        text = f"{done} of {len(self.stages)} stages done"
        return "; ".join([text, *(f"{stage.name}{_jobs(stage)}" for stage in busy)])

    def __str__(self) -> str:
        lines = [f"{self.layout.outdir}: {self.state}, {self.headline}"]
        return "\n".join([*lines, *(f"  {stage}" for stage in self.stages)])


def status_of(outdir) -> Status:
    """Status of the run in a folder.

    Raises
    ------
    InputError
        If there is no run.
    """
    layout = Layout(Path(outdir))
    if not layout.config_json.is_file():
        if (layout / "progress").is_dir():
            return Status(layout, tuple(_without_config(layout)))
        found = "no run is here (no config.json)"
        raise InputError(outdir, found, "Give the folder that `outdir` of the configuration names")
    from ..config import Config

    config = Config.model_validate_json(layout.config_json.read_text())
    config = config.model_copy(update={"outdir": str(outdir)})
    return status(ConfiguredRun(config, layout))


def status(run: ConfiguredRun) -> Status:
    """Status of a run of a configuration."""
    stages = [stage for name, stage in STAGES.items() if name not in APART and stage.exists(run.config)]
    stages = [stage for stage in stages if stage.name != "view" or run.config.page.enabled]
    return Status(run.layout, tuple(_stage_status(stage, run) for stage in stages))


def records(layout: Layout, stage: str) -> list[dict]:
    """Records of the jobs of a stage, those that can be read."""
    folder, out = layout.progress(stage).parent, []
    parts = [path for kind in ("batch", "group") for path in sorted(folder.glob(f"{stage}_{kind}*.json"))]
    for path in [layout.progress(stage), *parts]:
        try:
            out.append(json.loads(path.read_text()))
        except (OSError, ValueError):
            continue
    return out


def job_text(job: dict) -> str:
    """What a job is at, in words."""
    total, done = job.get("total", 0), job.get("done", 0)
    end = job["updated"] if job["ended"] or job["state"] != "running" else time.time()
    if not total:
        return f"{'at work ' if job['state'] == 'running' else ''}for {duration(end - job['started'])}"
    share = job.get("share", done / total)
    speed = pace(done, total, share, end - job.get("counting", job["started"]))
    text = f"{done} of {total} patches, {total - done} left, {job.get('flagged', 0)} sources flagged"
    return f"{text}, {speed}" if speed else text


def _jobs(stage: StageStatus) -> str:
    texts = [job_text(job) for job in stage.jobs if job["state"] == "running"]
    return f" ({'; '.join(texts)})" if texts else ""


def _stage_status(stage, run: ConfiguredRun) -> StageStatus:
    found = [job | {"state": _state(job)} for job in records(run.layout, stage.name)]
    busy = tuple(job for job in found if job["state"] == "running")
    if busy:
        return StageStatus(stage.name, "running", busy)
    if all(path.exists() for path in _paths(stage.writes(run))):
        return StageStatus(stage.name, "done")
    broken = tuple(job for job in found if job["state"] in ("failed", "stopped"))
    if broken:
        return StageStatus(stage.name, max(broken, key=lambda job: job["updated"])["state"], broken)
    return StageStatus(stage.name, "waiting")


def _state(job: dict) -> str:
    if job["ended"]:
        return job["ended"]
    return "stopped" if lives(job) is False else "running"


def _paths(files) -> list[Path]:
    return [path for some in files.values() for path in (some if isinstance(some, list) else [some])]


def _without_config(layout: Layout):
    """Stages that have left a record, before the configuration is written."""
    for path in sorted((layout / "progress").glob("*.json")):
        for job in records(layout, path.stem):
            known = job | {"state": _state(job)}
            yield StageStatus(path.stem, known["state"], (known,))
    yield StageStatus("others", "waiting")  # which ones is not known yet


def verdict(layout: Layout) -> list[str]:
    """Of a finished run: what to think of it, and where to look; lines of text."""
    from astropy.table import Table

    from ..flags import DESCRIPTIONS

    catalog = next((path for path in (layout.posterior, layout.postop) if path.is_file()), None)
    if catalog is None:
        return []
    table = Table.read(catalog, hdu=1)
    flags = table["flags"].astype(int)
    count = {flag: int(sum((flags & int(flag)) != 0)) for flag in DESCRIPTIONS}
    clean = int(sum(flags == 0))
    lines = [f"{len(table)} sources, {clean} without any flag."]
    worst = sorted((flag for flag in count if count[flag]), key=lambda flag: -count[flag])[:4]
    lines += [f"  {count[flag]} {flag.name}: {DESCRIPTIONS[flag]}" for flag in worst]
    share = clean / max(1, len(table))
    words = (
        "Most sources can be used as they are."
        if share > 0.8
        else "Look at the flagged ones before you use the catalog."
        if share > 0.4
        else "Something is wrong with many sources: look at the residuals, the PSFs and the sky first."
    )
    lines.append(words)
    if (layout.comparison / "verdict.txt").is_file():
        lines += ["Against the truth:", *(layout.comparison / "verdict.txt").read_text().splitlines()]
    places = {"summary": layout.summary, "page": layout.page / "index.html", "catalog": catalog}
    lines += [f"{name}: {path}" for name, path in places.items() if path.exists()]
    return lines
