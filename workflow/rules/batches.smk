"""Passes over all patches as many jobs: plan, then for each step in order its batches and a gathering.

in:  a scene state, stores/, psf/, sersic/, background/ (after the first pass)
out: plans/, batches/, the next scene state, patches/ (sampling)

Used with `workflow.batches` above 1. Patches are seeded and ordered by the plan, so results do not depend
on the number of jobs. Steps (`colour` in names of files) and their batches are those of the plan: as long as
there is none, a pass is `plan` and `finish`; when `plan` has run, as it is a checkpoint, Snakemake asks again
for the inputs of all jobs that read it. A plan that stands from an earlier run counts until it is made anew.
"""


localrules:
    finish,
    optimize,
    reoptimize,
    sample,


checkpoint plan:
    """Cut the scene into patches and colour those that touch."""
    input:
        unpack(part_reads("plan")),
    output:
        **part_writes("plan", layout, "{stage}"),
    log:
        layout.log("{stage}_plan"),
    benchmark:
        layout.benchmark("{stage}_plan")
    conda:
        environment
    params:
        **part_depends("plan"),
    script:
        "../scripts/stage.py"


rule batch:
    """Fit the patches of one step and batch."""
    input:
        unpack(part_reads("batch", "colour")),
    output:
        **part_writes("batch", layout, "{stage}", "{colour}", "{batch}"),
    log:
        layout.log("{stage}_colour{colour}_batch{batch}"),
    benchmark:
        layout.benchmark("{stage}_colour{colour}_batch{batch}")
    conda:
        environment
    threads: all_cores()
    resources:
        gpu=gpus_of("sample"),
        mem_mb=needs_of_batch("mem_mb"),
        runtime=needs_of_batch("runtime"),
    params:
        **part_depends("batch"),
    script:
        "../scripts/stage.py"


rule gather:
    """Check the results of one step in: the next state of the scene."""
    input:
        unpack(part_reads("gather", "colour")),
    output:
        **part_writes("gather", layout, "{stage}", "{colour}"),
    log:
        layout.log("{stage}_colour{colour}_gather"),
    benchmark:
        layout.benchmark("{stage}_colour{colour}_gather")
    conda:
        environment
    params:
        **part_depends("gather"),
    script:
        "../scripts/stage.py"


rule finish:
    """Keep the state after the last step as that of the stage."""
    input:
        unpack(part_reads("finish")),
    output:
        **part_writes("finish", layout, "{stage}"),
    log:
        layout.log("{stage}"),
    benchmark:
        layout.benchmark("{stage}")
    conda:
        environment
    params:
        **part_depends("finish"),
    script:
        "../scripts/stage.py"


for pass_name in passes:  # targets by name

    rule:
        name:
            pass_name
        input:
            layout.scene(pass_name),
