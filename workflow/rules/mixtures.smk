"""PSFs and galaxy profiles as sums of Gaussians.

in:  PSF images or a PSF store; a table of Sersic mixtures, or the shipped one
out: psf/, sersic/
"""


rule psf:
    """Turn PSF images into mixtures of Gaussians, and report how well each does."""
    input:
        given(inputs_used.psfs),
        checked=layout.checked,
    output:
        store=layout.psf_store,
        quality=shown(layout.psf_quality, "psf_quality", "PSF"),
        plots=shown(layout.psf_plots, "psf", "PSF", "{name}.png"),
    log:
        layout.log("psf"),
    benchmark:
        layout.benchmark("psf")
    conda:
        environment
    threads: all_cores()
    params:
        options=options("psf", "psfs", "bands"),
        code=code("psf"),
    shell:
        "python -m fpho psf --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


rule sersic:
    """Take the table of Sersic mixtures, shipped or given, or make it again (`sersic.remake`)."""
    input:
        given(table_of_profiles),
        checked=layout.checked,
    output:
        layout.sersic_table,
    log:
        layout.log("sersic"),
    benchmark:
        layout.benchmark("sersic")
    conda:
        environment
    params:
        options=options("sersic", "bounds.sersic_range", "bounds.rhalf_range"),
        code=code("sersic"),
    shell:
        "python -m fpho sersic --config $FPHO_CONFIG > {log} 2>&1"
