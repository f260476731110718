"""Configuration, names and helpers that all rules share; no rule stands here.

in:  `config`, from --configfile (or config/default.yaml when none is given) and --config
out: `layout` (all paths of the run); `reads()`, `writes()`, `depends()`: what fpho.stages.registry says of a stage
"""

import json
import shlex
import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

HERE = Path(str(workflow.current_basedir))
TOP = HERE.parent.parent
if (TOP / "src" / "fpho").is_dir():
    sys.path.insert(0, str(TOP / "src"))  # the checkout's own code, even if another is installed

from fpho.config import make_config, read_options
from fpho.errors import InputError
from fpho.layout import Layout
from fpho.locks import own_locks
from fpho.passes.files import flattened
from fpho.passes.needs import image_needs, job_needs
from fpho.stages.mending import mend_plans, only_looks, remove_damaged_products
from fpho.stages.patchwise import part_writes
from fpho.stages.registry import STAGES
from fpho.stages.running import run_stage
from fpho.stages.stage import ConfiguredRun

if Path(sys.executable).is_file():
    sys.executable = shlex.quote(sys.executable)  # Snakemake writes it into shell lines as it is

if workflow.is_main_process:
    own_locks(Path(".snakemake"))

if not workflow.overwrite_configfiles:

    configfile: str(TOP / "config" / "default.yaml")


def plain(value):
    """Undo what `--config` does to values: it reads all but numbers and booleans as text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return None if value in ("null", "~") else value


def all_cores() -> int:
    """The cores given with --cores; 1 where none are needed, as for a report."""
    try:
        return workflow.cores or 1
    except WorkflowError:
        return 1


try:
    for path in workflow.overwrite_configfiles:
        read_options(path)  # stops at a key that stands twice, of which Snakemake took the last
    # Snakemake allows no dot in a name given to --config: `sample__warmup=32` means sample.warmup.
    options_used = make_config({key.replace("__", "."): plain(value) for key, value in config.items()})
    run_used = ConfiguredRun(options_used, Layout(Path(options_used.outdir)))
    inputs_used = run_used.inputs  # here, so that a missing one is told first
except InputError as error:
    raise WorkflowError(str(error)) from None

config.clear()
config.update(json.loads(options_used.model_dump_json()))
validate(config, "../schemas/config.schema.json")

layout = run_used.layout
if workflow.is_main_process and not only_looks(sys.argv[1:]):
    remove_damaged_products(layout)
    mend_plans(run_used, partial(run_stage, config=options_used, layout=layout))


onsuccess:
    remove_damaged_products(layout)
    seen = [path for path in (layout.page / "index.html", layout.summary) if path.is_file()]
    if seen:
        print("For any browser:", *seen, file=sys.stderr)


simulated = STAGES["simulate"].exists(options_used)
passes = [name for name, stage in STAGES.items() if stage.is_pass]
pass_rules = "passes" if config["workflow"]["batches"] == 1 else "batches"
environment = TOP / "envs" / f"{config['kernel']}.yaml"


wildcard_constraints:
    stage="|".join(passes),
    colour=r"\d+",
    batch=r"\d+",
    group=r"\d+",


def reads(name):
    """Input files of a stage, by what they hold.

    What `check` leaves is an ordinary one. As an `ancient` one it would rerun nothing, but Snakemake then looks for
    no other reason to rerun what follows, such as a changed option, and leaves stale results without a word.
    """
    files = STAGES[name].reads(run_used)
    for path in flattened(files):
        if set("{}") & set(str(path)):
            found = "the name has braces, which Snakemake takes for wildcards"
            raise WorkflowError(str(InputError(path, found, "Rename it, or choose another outdir")))
    return files


def writes(name, **marks):
    """Output files of a stage; folders are marked as such, others by `marks`, functions of a path."""
    stage = STAGES[name]
    marks = {key: directory for key in stage.folders} | marks
    return {key: marks.get(key, lambda path: path)(path) for key, path in stage.writes(run_used).items()}


def shown(caption, category, *patterns):
    """A mark for an output of Snakemake's report; a folder shows its files of the given patterns."""
    words = {"caption": f"../report/{caption}.rst", "category": category}
    if patterns:
        return lambda path: report(directory(path), patterns=list(patterns), **words)
    return lambda path: report(path, **words)


def depends(name):
    """Params of a stage: its name, and the options and the code that it depends on; a change reruns it."""
    return params_of({name: STAGES[name]}, "all", lambda wildcards: name)


def part_reads(part, *which):
    """Input function of a part of a pass, for `unpack`; `which`: the wildcards that its files depend on."""

    def files(wildcards):
        numbers = {name: int(wildcards[name]) for name in which}
        try:
            return STAGES[wildcards.stage].parts[part].reads(run_used, **numbers)
        except InputError as error:  # of a plan that is damaged
            raise WorkflowError(str(error)) from None

    return files


def part_depends(part):
    """Params of a part of a pass."""
    return params_of(
        {name: STAGES[name].parts[part] for name in passes}, part, lambda wildcards: wildcards.stage
    )


def groups_of(name):
    """Jobs for groups of images that a stage is divided into; 1: it is one job."""
    return STAGES[name].groups(run_used)


def job_reads(name, part):
    """Input files of a part of a stage over images."""
    return STAGES[name].parts[part].reads(run_used)


def group_reads(name):
    """Input function of the images of a group, for `unpack`."""
    return lambda wildcards: STAGES[name].parts["images"].reads(run_used, group=int(wildcards.group))


def job_writes(name, part, *group):
    """Output files of a part of a stage over images; what is shown in a report is marked."""
    marks = {"background": shown("background", "Background"), "checked": update} if part == "gather" else {}
    files = STAGES[name].parts[part].writes(run_used, *group)
    return {key: marks.get(key, lambda path: path)(path) for key, path in files.items()}


def job_depends(name, part):
    """Params of a part of a stage over images."""
    return params_of({name: STAGES[name].parts[part]}, part, lambda wildcards: name)


def params_of(jobs, part, name_of):
    """Params of jobs by their stage's name. Functions, since braces in a text would be wildcards."""
    options = {name: json.dumps(job.values(options_used)) for name, job in jobs.items()}
    code = {name: STAGES[name].code() for name in jobs}
    return {
        "stage": name_of,
        "part": part,
        "options": lambda wildcards: options[name_of(wildcards)],
        "code": lambda wildcards: code[name_of(wildcards)],
    }


def cores_of(name):
    """Threads of a stage's rule."""
    return all_cores() if STAGES[name].cores else 1


def gpus_of(name):
    """Graphics cards of a stage's rule."""
    return 1 if STAGES[name].gpu and config["kernel"] == "gpu" else 0


def needs_of_batch(name):
    """A resource of a batch, as the plan predicts it; more for each further attempt."""

    def needed(wildcards, threads, attempt):
        step, batch = int(wildcards.colour), int(wildcards.batch)
        return job_needs(layout.plan(wildcards.stage), step, batch, threads, attempt)[name]

    return needed


def needs_of_images(name):
    """The same of a group of images."""
    return lambda wildcards, threads, attempt: image_needs(threads, attempt)[name]


def without_rule():
    """Names of the run's stages of one job that no rule has yet."""
    own = {rule.name for rule in workflow.rules}
    jobs = [name for name, stage in STAGES.items() if not stage.is_pass and stage.exists(options_used)]
    return [name for name in jobs if name not in own]
