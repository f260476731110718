"""Passes over all patches, each one job: plan, patches of all colours in order, new scene state.

in:  a scene state, stores/, psf/, sersic/, background/ (after the first pass)
out: plans/, the next scene state, patches/ (sampling)

Used with `workflow.batches: 1`. Finished patches lie in work/, so that a killed job takes up where it was.
"""


rule optimize:
    """Find the maximum of the posterior of every patch."""
    input:
        **pass_inputs("optimize"),
        scene=passes["optimize"]["start"],
    output:
        plan=layout.plan("optimize"),
        scene=layout.scene("optimize"),
    log:
        layout.log("optimize"),
    benchmark:
        layout.benchmark("optimize")
    conda:
        environment
    threads: all_cores()
    resources:
        gpu=gpus,
    params:
        **pass_params("optimize", *plan_options),
    shell:
        "python -m fpho {params.stage} --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


use rule optimize as reoptimize with:
    input:
        **pass_inputs("reoptimize"),
        scene=passes["reoptimize"]["start"],
    output:
        plan=layout.plan("reoptimize"),
        scene=layout.scene("reoptimize"),
    log:
        layout.log("reoptimize"),
    benchmark:
        layout.benchmark("reoptimize")
    params:
        **pass_params("reoptimize", *plan_options),


use rule optimize as sample with:
    input:
        **pass_inputs("sample"),
        scene=passes["sample"]["start"],
    output:
        plan=layout.plan("sample"),
        scene=layout.scene("sample"),
    log:
        layout.log("sample"),
    benchmark:
        layout.benchmark("sample")
    params:
        **pass_params("sample", *plan_options),
