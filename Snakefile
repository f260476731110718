"""fpho: exposures, PSF images and a peak catalog become posterior catalogs, images and plots.

`snakemake --cores N` runs the built-in example; `--configfile FILE` runs your own. Every stage is a
target: `snakemake sample --cores N` ends after sampling. See docs/workflow.md.
"""

from snakemake.utils import min_version

min_version("9.9")


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/mixtures.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/images.smk"
include: f"workflow/rules/{pass_rules}.smk"
include: "workflow/rules/products.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/inject.smk"
include: "workflow/rules/others.smk"


localrules:
    all,


rule all:
    """Everything: the catalogs, images, regions, plots and the page of the run."""
    default_target: True
    input:
        rules.settings.output,
        rules.postprocess.output,
        rules.view.output if config["page"]["enabled"] else [],
        rules.compare.output if simulated else [],
