"""PSFs and galaxy profiles as sums of Gaussians.

in:  PSF images or a PSF store
out: psf/; sersic/ only when asked for, since the table is shipped ready
"""


rule psf:
    """Turn PSF images into mixtures of Gaussians, and report how well each does."""
    input:
        given(inputs_used.psfs),
        checked=ancient(layout.checked),
    output:
        store=layout.psf_store,
        quality=layout.psf_quality,
    log:
        layout.log("psf"),
    benchmark:
        layout.benchmark("psf")
    conda:
        environment
    threads: workflow.cores or 1
    params:
        options=options("psf", "psfs", "bands"),
        code=code("psf"),
    shell:
        "python -m fpho psf --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


rule sersic:
    """Make the shipped table of Sersic mixtures again; for use, give its path as `sersic.table`."""
    output:
        layout.sersic_table,
    log:
        layout.log("sersic"),
    benchmark:
        layout.benchmark("sersic")
    conda:
        environment
    params:
        options=options("sersic.n_components"),
        code=code("sersic"),
    shell:
        "python -m fpho sersic --config $FPHO_CONFIG > {log} 2>&1"
