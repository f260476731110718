"""What a run starts from.

in:  the files that the configuration names (none for the built-in example)
out: simulation/ (built-in example), inputs.json and the configuration as used
"""

if simulated:

    rule simulate:
        """Draw a scene with known truth by GalSim: images, PSFs, catalog."""
        output:
            images=layout.simulation / "exposures.tsv",
            psfs=layout.simulation / "psfs.tsv",
            catalog=layout.simulation / "catalog.fits",
            truth=layout.simulation / "truth.fits",
        log:
            layout.log("simulate"),
        benchmark:
            layout.benchmark("simulate")
        conda:
            environment
        params:
            options=options("simulate", "seed"),
            code=code("simulate"),
        shell:
            "python -m fpho simulate --config $FPHO_CONFIG > {log} 2>&1"


rule check:
    """Check all inputs and options before anything is fitted; name the file and the cure."""
    input:
        given(inputs_used.images, inputs_used.psfs, inputs_used.catalog),
    output:
        update(layout.checked),
    log:
        layout.log("check"),
    benchmark:
        layout.benchmark("check")
    conda:
        environment
    resources:
        gpu=gpus,  # it looks for the card
    params:
        options=options(*checked_options),
        code=code("check"),
    shell:
        "python -m fpho check --config $FPHO_CONFIG > {log} 2>&1"


rule settings:
    """Write the configuration as used, beside the results."""
    input:
        checked=layout.checked,
    output:
        yaml=layout.config,
        json=layout.config_json,
    log:
        layout.log("settings"),
    benchmark:
        layout.benchmark("settings")
    conda:
        environment
    params:
        options=options(*config),
        code=code("settings"),
    shell:
        "python -m fpho settings --config $FPHO_CONFIG > {log} 2>&1"
