"""Simulated sources in the run's own images; not part of `all`: `snakemake inject --cores N`.

in:  exposures, PSF images, peak catalog, the catalog `inject.catalog`
out: injection/ with images, tables and a report; the run on them lies in injection/run/
"""


rule inject:
    """Put sources into the images, run the chosen stages on them, and report what became of them."""
    input:
        given(inputs_used.images, inputs_used.psfs, inputs_used.catalog),
        given(optional_file(config["inject"]["catalog"])),
        psf=layout.psf_store,
        sersic=layout.sersic_table,
        checked=layout.checked,
    output:
        page=layout.injection / "injection.html",
        sources=layout.injection / "injection.ecsv",
        summary=layout.injection / "summary.ecsv",
    log:
        layout.log("inject"),
    benchmark:
        layout.benchmark("inject")
    conda:
        environment
    threads: all_cores()
    params:
        options=options(*config),
        code=code("inject"),
    shell:
        "python -m fpho inject --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"
