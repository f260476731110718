"""What a user looks at.

in:  scene/sample.fits, patches/, stores/, psf/, sersic/, background/
out: catalogs/, images/, regions/, plots/, and for a simulated run the comparison with its truth
"""


rule postprocess:
    """Write catalogs, images, regions, plots and the report."""
    input:
        given(inputs_used.images),
        stores("all"),
        plan=layout.plan("sample"),
        scene=layout.scene("sample"),
        background=layout.background,
        registration=layout.registration,
        psf=layout.psf_store,
        sersic=layout.sersic_table,
    output:
        **product_outputs(),
    log:
        layout.log("postprocess"),
    benchmark:
        layout.benchmark("postprocess")
    conda:
        environment
    threads: all_cores()
    params:
        options=options("postprocess", "bands"),
        code=code("postprocess"),
    shell:
        "python -m fpho postprocess --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


if simulated:

    rule compare:
        """Compare the results of a simulated run with its truth."""
        input:
            truth=layout.simulation / "truth.fits",
            catalog=layout.posterior,
            background=layout.background,
        output:
            shown(layout.comparison, "comparison", "Comparison with the truth", "{name}.png"),
        log:
            layout.log("compare"),
        benchmark:
            layout.benchmark("compare")
        conda:
            environment
        params:
            code=code("compare"),
        shell:
            "python -m fpho compare --config $FPHO_CONFIG > {log} 2>&1"
