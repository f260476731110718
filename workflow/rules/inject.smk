"""Simulated sources in the run's own images; not part of `all`: `snakemake inject --cores N`.

in:  exposures, PSF images, peak catalog, the catalog `inject.catalog`
out: injection/ with images, tables and a report; the run on them lies in injection/run/
"""


rule inject:
    """Put sources into the images, run the chosen stages on them, and report what became of them."""
    input:
        **reads("inject"),
    output:
        **writes("inject"),
    log:
        layout.log("inject"),
    benchmark:
        layout.benchmark("inject")
    conda:
        environment
    threads: cores_of("inject")
    params:
        **depends("inject"),
    script:
        "../scripts/stage.py"
