"""What is known of a stage; the stages themselves stand in `registry`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..codehash import code_hash
from ..layout import Layout
from .inputs import Inputs, image_groups, local_files, resolve

if TYPE_CHECKING:
    from ..config import Config

Files = dict[str, Path | list[Path]]


@dataclass(frozen=True)
class ConfiguredRun:
    """What the files of a stage depend on."""

    config: "Config"
    layout: Layout

    @cached_property
    def inputs(self) -> Inputs:
        """The files that the configuration names, or those that `simulate` draws."""
        return resolve(self.config, self.layout)

    @cached_property
    def image_groups(self) -> int:
        """Jobs that share the images."""
        return image_groups(self.config, self.layout)

    def given(self, *tables: Path | None, group: int | None = None) -> list[Path]:
        """Input tables and what they name, as far as they exist (`check` reports the others).

        group : only what one group of the images that are used names
        """
        some = {}
        if group is not None:
            some = {"rows": slice(group, None, self.image_groups), "bands": self.config.bands}
        drawn = [table for table in tables if table and table.parent == self.layout.simulation]
        others = [table for table in tables if table and table not in drawn]
        return drawn + sorted({path for table in others for path in local_files(table, **some)})

    def named(self, *options: str | None) -> list[Path]:
        """Files that options name, as far as they exist; not for keywords such as `default`."""
        paths = [Path(value) for value in options if value not in (None, "default")]
        return [path for path in paths if path.exists()]


@dataclass(frozen=True, kw_only=True)
class StagePart:
    """One job: its function, its files, and the options that it reads.

    function : `module:name`, imported when it runs.
    reads, writes : files by what they hold, of a run (in parts of a pass also of a colour and a batch).
    options : `section` or `section.option`, on which results depend.
    free : options that are read although results do not depend on them.
    plain : the function takes all options as JSON has them, and reads no file of the run. The models of the
        options take longer to import than such a job.
    """

    function: str
    reads: Callable[..., Files]
    writes: Callable[..., Files]
    options: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    plain: bool = False

    @property
    def module(self) -> str:
        """The module that its function stands in."""
        return self.function.partition(":")[0]

    def values(self, config: "Config") -> dict:
        """Values of the options that results depend on, by name."""
        from ..config import values_of

        return values_of(config, self.options)


@dataclass(frozen=True, kw_only=True)
class Stage(StagePart):
    """A stage of a run.

    name, help : of its command and its rule, and what it does.
    parts : the jobs that it can be divided into, in order: of a pass over patches, or of a stage over images.
    groups : jobs for groups of images that it is divided into in a run; 1: it is not.
    folders : names of the outputs that are folders.
    without : rooms or modules of `fpho` that its code imports and does not use.
    runs : modules of the stages that its own function runs.
    needs : modules of extras (`fpho.extras`) without which it cannot do what a configuration asks for.
    cores : it makes use of many cores. processes : it does so in processes of one thread each.
    gpu : it looks for a graphics card if the configuration asks for one.
    measures : it belongs to a measurement, which `inject` repeats.
    exists : whether a run of some configuration has it.
    """

    name: str
    help: str
    parts: dict[str, StagePart] = field(default_factory=dict)
    groups: Callable[[ConfiguredRun], int] = lambda run: 1
    folders: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    needs: Callable[["Config"], tuple[str, ...]] = lambda config: ()
    cores: bool = False
    processes: bool = False
    gpu: bool = False
    measures: bool = False
    exists: Callable[["Config"], bool] = lambda config: True

    @property
    def is_pass(self) -> bool:
        """Whether it is a pass over patches."""
        return "plan" in self.parts

    def threads(self, cores: int) -> int:
        """Threads of numerical libraries in its process."""
        return 1 if self.processes else cores

    def code(self) -> str:
        """Hash of the code that the stage uses."""
        return code_hash(self.module, *self.runs, without=self.without)
