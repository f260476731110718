"""Whether the posterior's widths can be believed; not part of `all`: `snakemake calibrate --cores N`.

in:  nothing (sources drawn from the priors, images drawn by GalSim)
out: calibration/ with tables, pictures and a page; finished trials lie in calibration/trials/
"""


rule calibrate:
    """Draw sources from the priors, fit and sample them, rank their truth among the draws."""
    output:
        page=layout.calibration / "calibration.html",
        tables=layout.calibration / "calibration.md",
    log:
        layout.log("calibrate"),
    benchmark:
        layout.benchmark("calibrate")
    conda:
        environment
    threads: all_cores()
    params:
        options=options("calibrate", "bounds", "priors", "psf", "optimize", "sample", "seed"),
        code=code("calibrate"),
    shell:
        "python -m fpho calibrate --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"
