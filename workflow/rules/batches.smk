"""Passes over all patches as many jobs: plan, then for each colour in order its batches and a gathering.

in:  a scene state, stores/, psf/, sersic/, background/ (after the first pass)
out: plans/, batches/, the next scene state, patches/ (sampling)

Used with `workflow.batches` above 1. Patches are seeded and ordered by the plan, so results do not depend
on the number of jobs. The graph is static: `max_colours` colours, of which some may be empty.
"""


localrules:
    optimize,
    reoptimize,
    sample,


rule optimize_plan:
    """Cut the scene into patches and colour those that touch."""
    input:
        **pass_inputs("optimize"),
        scene=passes["optimize"]["start"],
    output:
        layout.plan("optimize"),
    log:
        layout.log("optimize_plan"),
    benchmark:
        layout.benchmark("optimize_plan")
    conda:
        environment
    params:
        **pass_params("optimize", *plan_options, "workflow"),
    shell:
        "python -m fpho {params.stage} plan --config $FPHO_CONFIG > {log} 2>&1"


rule optimize_batch:
    """Fit the patches of one colour and batch."""
    input:
        **pass_inputs("optimize"),
        state=state_before("optimize"),
        plan=layout.plan("optimize"),
    output:
        layout.batch("optimize", "{colour}", "{batch}"),
    log:
        layout.log("optimize_colour{colour}_batch{batch}"),
    benchmark:
        layout.benchmark("optimize_colour{colour}_batch{batch}")
    conda:
        environment
    threads: all_cores()
    resources:
        gpu=gpus,
    params:
        **pass_params("optimize"),
    shell:
        "python -m fpho {params.stage} batch --config $FPHO_CONFIG --cores {threads}"
        " --colour {wildcards.colour} --batch {wildcards.batch} > {log} 2>&1"


rule optimize_gather:
    """Check the results of one colour in: the next state of the scene."""
    input:
        state=state_before("optimize"),
        plan=layout.plan("optimize"),
        batches=batches_of("optimize"),
    output:
        layout.state_after("optimize", "{colour}"),
    log:
        layout.log("optimize_colour{colour}_gather"),
    benchmark:
        layout.benchmark("optimize_colour{colour}_gather")
    conda:
        environment
    params:
        **pass_params("optimize"),
    shell:
        "python -m fpho {params.stage} gather --config $FPHO_CONFIG"
        " --colour {wildcards.colour} > {log} 2>&1"


rule optimize:
    """Keep the state after the last colour as that of the stage."""
    input:
        layout.state_after("optimize", colours[-1]),
    output:
        layout.scene("optimize"),
    log:
        layout.log("optimize"),
    benchmark:
        layout.benchmark("optimize")
    conda:
        environment
    params:
        stage="optimize",
    shell:
        "python -m fpho {params.stage} finish --config $FPHO_CONFIG > {log} 2>&1"


use rule optimize_plan as reoptimize_plan with:
    input:
        **pass_inputs("reoptimize"),
        scene=passes["reoptimize"]["start"],
    output:
        layout.plan("reoptimize"),
    log:
        layout.log("reoptimize_plan"),
    benchmark:
        layout.benchmark("reoptimize_plan")
    params:
        **pass_params("reoptimize", *plan_options, "workflow"),


use rule optimize_batch as reoptimize_batch with:
    input:
        **pass_inputs("reoptimize"),
        state=state_before("reoptimize"),
        plan=layout.plan("reoptimize"),
    output:
        layout.batch("reoptimize", "{colour}", "{batch}"),
    log:
        layout.log("reoptimize_colour{colour}_batch{batch}"),
    benchmark:
        layout.benchmark("reoptimize_colour{colour}_batch{batch}")
    params:
        **pass_params("reoptimize"),


use rule optimize_gather as reoptimize_gather with:
    input:
        state=state_before("reoptimize"),
        plan=layout.plan("reoptimize"),
        batches=batches_of("reoptimize"),
    output:
        layout.state_after("reoptimize", "{colour}"),
    log:
        layout.log("reoptimize_colour{colour}_gather"),
    benchmark:
        layout.benchmark("reoptimize_colour{colour}_gather")
    params:
        **pass_params("reoptimize"),


use rule optimize as reoptimize with:
    input:
        layout.state_after("reoptimize", colours[-1]),
    output:
        layout.scene("reoptimize"),
    log:
        layout.log("reoptimize"),
    benchmark:
        layout.benchmark("reoptimize")
    params:
        stage="reoptimize",


use rule optimize_plan as sample_plan with:
    input:
        **pass_inputs("sample"),
        scene=passes["sample"]["start"],
    output:
        layout.plan("sample"),
    log:
        layout.log("sample_plan"),
    benchmark:
        layout.benchmark("sample_plan")
    params:
        **pass_params("sample", *plan_options, "workflow"),


use rule optimize_batch as sample_batch with:
    input:
        **pass_inputs("sample"),
        state=state_before("sample"),
        plan=layout.plan("sample"),
    output:
        layout.batch("sample", "{colour}", "{batch}"),
    log:
        layout.log("sample_colour{colour}_batch{batch}"),
    benchmark:
        layout.benchmark("sample_colour{colour}_batch{batch}")
    params:
        **pass_params("sample"),


use rule optimize_gather as sample_gather with:
    input:
        state=state_before("sample"),
        plan=layout.plan("sample"),
        batches=batches_of("sample"),
    output:
        layout.state_after("sample", "{colour}"),
    log:
        layout.log("sample_colour{colour}_gather"),
    benchmark:
        layout.benchmark("sample_colour{colour}_gather")
    params:
        **pass_params("sample"),


use rule optimize as sample with:
    input:
        layout.state_after("sample", colours[-1]),
    output:
        layout.scene("sample"),
    log:
        layout.log("sample"),
    benchmark:
        layout.benchmark("sample")
    params:
        stage="sample",
