"""Configuration, names and helpers that all rules share; no rule stands here.

in:  `config`, from --configfile (or config/default.yaml when none is given) and --config
out: `layout` (all paths of the run), `options()` and `code()` for params, FPHO_CONFIG for the commands
"""

import hashlib
import json
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import validate

HERE = Path(str(workflow.current_basedir))
TOP = HERE.parent.parent
if (TOP / "src" / "fpho").is_dir():
    sys.path.insert(0, str(TOP / "src"))  # the checkout's own code, even if another is installed

from fpho.codehash import code_hash
from fpho.config import dump_config, make_config
from fpho.errors import InputError
from fpho.files import write_text
from fpho.layout import Layout
from fpho.stages.inputs import local_files, resolve

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
    # Snakemake allows no dot in a name given to --config: `sample__warmup=32` means sample.warmup.
    options_used = make_config({key.replace("__", "."): plain(value) for key, value in config.items()})
    inputs_used = resolve(options_used, Layout(Path(options_used.outdir)))
except InputError as error:
    raise WorkflowError(str(error)) from None

config.clear()
config.update(json.loads(options_used.model_dump_json()))
validate(config, "../schemas/config.schema.json")

layout = Layout(Path(config["outdir"]))
simulated = config["simulate"]["scene"] != "none"
batches = config["workflow"]["batches"]
colours = list(range(config["workflow"]["max_colours"]))
pass_rules = "passes" if batches == 1 else "batches"
environment = TOP / "envs" / f"{config['kernel']}.yaml"
gpus = 1 if config["kernel"] == "gpu" else 0


wildcard_constraints:
    colour=r"\d+",
    batch=r"\d+",


def hand_over():
    """Write the options for the commands, named by content: no file is ever changed under a job."""
    text = dump_config(options_used)
    path = Path(".snakemake", "fpho", hashlib.sha256(text.encode()).hexdigest()[:16] + ".yaml")
    if not path.is_file():
        write_text(path, text)
    return path


def prefix():
    """Environment of every command: its options, and the Python and code of this workflow."""
    parts = [f"export FPHO_CONFIG='{hand_over().resolve()}'"]
    if (TOP / "src" / "fpho").is_dir():
        parts.append(f"export PYTHONPATH='{TOP / 'src'}'${{{{PYTHONPATH:+:$PYTHONPATH}}}}")
    if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
        parts.append(f"export PATH='{Path(sys.executable).parent}':\"$PATH\"")
    return "; ".join(parts) + "; "


shell.prefix(prefix())


def options(*names):
    """Options that a rule depends on, as JSON (`section` or `section.option`); a change reruns the rule.

    A function, since in a plain text Snakemake would take braces for wildcards.
    """
    text = json.dumps({name: lookup(dpath=name.replace(".", "/"), within=config) for name in names})
    return lambda wildcards: text


def code(*stages, without=()):
    """Hash of the code that stages use, less that of other rooms; a change reruns the rule."""
    return code_hash(*[f"fpho.stages.{stage}" for stage in stages], without=tuple(without))


def stores(on):
    """Pixel and meta stores of both kinds: of a band without the kind that a stage asks for, it takes the other."""
    return [path(kind) for kind in ("exposure", "mosaic") for path in (layout.pixels, layout.meta)]


def given(*tables):
    """Files to watch: tables and what they name, as far as they exist (`check` reports the others)."""
    drawn = [table for table in tables if table and table.parent == layout.simulation]
    others = [table for table in tables if table and table not in drawn]
    return drawn + sorted({path for table in others for path in local_files(table)})


def optional_file(value):
    """A path that an option may give; None for a keyword such as `default`."""
    return Path(value) if value not in (None, "default") else None


table_of_profiles = optional_file(config["sersic"]["table"])
tweakbg = optional_file(config["background"]["tweakbg"])


# What `check` looks at; options of fits have been checked when the configuration was read.
checked_options = ["images", "psfs", "catalog", "bands", "psf", "sersic", "preprocess", "bounds", "kernel"]
checked_options += ["simulate", "optimize.on", "background.tweakbg"]

# For each pass over the patches: the state it starts from, its kind of images, the options it depends on,
# and the code that it does not use.
common_to_passes = [
    "bounds",
    "priors",
    "model",
    "kernel",
    "bands",
    "seed",
    "background.mode",
    "background.prior_sigma",
]
plan_options = ["patches", "seed", "optimize.on", "sample.on"]
passes = {
    "optimize": {
        "start": layout.scene("initial"),
        "on": config["optimize"]["on"],
        "files": given(tweakbg),
        "options": ["optimize", *common_to_passes],
        "without": ["sampling", "background", "detect", "products"],
    },
    "reoptimize": {
        "start": layout.scene("detect"),
        "on": config["optimize"]["on"],
        "files": [layout.background, layout.registration],
        "options": ["optimize", "background.reoptimize", *common_to_passes],
        "without": ["sampling", "products"],
    },
    "sample": {
        "start": layout.postop,
        "on": config["sample"]["on"],
        "files": [layout.background, layout.registration],
        "options": ["sample", *common_to_passes],
        "without": ["products"],
    },
}


def pass_inputs(stage):
    """Inputs of a pass beside the scene state."""
    return {
        "stores": stores(passes[stage]["on"]),
        "files": passes[stage]["files"],
        "psf": layout.psf_store,
        "sersic": layout.sersic_table,
        "checked": layout.checked,
    }


def pass_params(stage, *more):
    """Params of a pass: its name, options and code."""
    return {
        "stage": stage,
        "options": options(*passes[stage]["options"], *more),
        "code": code_hash("fpho.passes.steps", without=passes[stage]["without"]),
    }


def state_before(stage):
    """Input function: the scene state that a colour of a pass reads."""

    def state(wildcards):
        earlier = int(wildcards.colour) - 1
        return passes[stage]["start"] if earlier < 0 else layout.state_after(stage, earlier)

    return state


def batches_of(stage):
    """All batches of a colour of a pass."""
    return expand(str(layout.batch(stage, "{{colour}}", "{batch}")), batch=range(batches))


def shown(path, caption, category, *patterns):
    """An output that stands in Snakemake's report; a folder shows its files of the given patterns."""
    words = {"caption": f"../report/{caption}.rst", "category": category}
    return report(directory(path), patterns=list(patterns), **words) if patterns else report(path, **words)


def product_outputs():
    """Outputs of `postprocess`; folders only where the configuration asks for them."""
    wanted = config["postprocess"]
    folders = {
        "images": directory(layout.images),
        "regions": directory(layout.regions),
        "plots": shown(layout.plots, "plots", "Sources", "{name}.png"),
    }
    return {
        "catalog": shown(layout.posterior, "catalog", "Catalogs"),
        "chains": layout.chains,
        "summary": shown(layout.summary, "summary", "Summary"),
    } | {name: folder for name, folder in folders.items() if wanted[name]}
