"""Whether the posterior's widths can be believed; not part of `all`: `snakemake calibrate --cores N`.

in:  nothing (sources drawn from the priors, images drawn by GalSim)
out: calibration/ with tables, pictures and a page; finished trials lie in calibration/trials/
"""


rule calibrate:
    """Draw sources from the priors, fit and sample them, rank their truth among the draws."""
    output:
        **writes("calibrate"),
    log:
        layout.log("calibrate"),
    benchmark:
        layout.benchmark("calibrate")
    conda:
        environment
    threads: cores_of("calibrate")
    params:
        **depends("calibrate"),
    script:
        "../scripts/stage.py"
