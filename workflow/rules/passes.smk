"""Passes over all patches, each one job: plan, patches of all colours in order, new scene state.

in:  a scene state, stores/, psf/, sersic/, background/ (after the first pass)
out: plans/, the next scene state, patches/ (sampling)

Used with `workflow.batches: 1`. Finished patches lie in work/, so that a killed job takes up where it was.
"""


rule optimize:
    """Find the maximum of the posterior of every patch."""
    input:
        **reads("optimize"),
    output:
        **writes("optimize"),
    log:
        layout.log("optimize"),
    benchmark:
        layout.benchmark("optimize")
    conda:
        environment
    threads: cores_of("optimize")
    resources:
        gpu=gpus_of("optimize"),
    params:
        **depends("optimize"),
    script:
        "../scripts/stage.py"


rule reoptimize:
    """Optimize again, after background, shifts and new objects."""
    input:
        **reads("reoptimize"),
    output:
        **writes("reoptimize"),
    log:
        layout.log("reoptimize"),
    benchmark:
        layout.benchmark("reoptimize")
    conda:
        environment
    threads: cores_of("reoptimize")
    resources:
        gpu=gpus_of("reoptimize"),
    params:
        **depends("reoptimize"),
    script:
        "../scripts/stage.py"


rule sample:
    """Draw from the posterior of every patch."""
    input:
        **reads("sample"),
    output:
        **writes("sample"),
    log:
        layout.log("sample"),
    benchmark:
        layout.benchmark("sample")
    conda:
        environment
    threads: cores_of("sample")
    resources:
        gpu=gpus_of("sample"),
    params:
        **depends("sample"),
    script:
        "../scripts/stage.py"
