"""Whether the posterior's widths can be believed; not part of `all`: `snakemake calibrate --cores N`,
`snakemake calibrate_field --cores N`.

in:  nothing (sources drawn from the priors, images drawn by GalSim)
out: calibration/, calibration_field/ with tables, pictures and a page; finished trials and fields lie in folders there
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


rule calibrate_field:
    """Whole runs on simulated deep fields, compared with the truth."""
    output:
        **writes("calibrate_field"),
    log:
        layout.log("calibrate_field"),
    benchmark:
        layout.benchmark("calibrate_field")
    conda:
        environment
    threads: cores_of("calibrate_field")
    params:
        **depends("calibrate_field"),
    script:
        "../scripts/stage.py"
