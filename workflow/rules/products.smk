"""What a user looks at.

in:  scene/sample.fits, patches/, stores/, psf/, sersic/, background/
out: catalogs/, images/, regions/, plots/, page/, and for a simulated run the comparison with its truth
"""


rule postprocess:
    """Write catalogs, images, regions, plots and the report."""
    input:
        **reads("postprocess"),
    output:
        **writes(
            "postprocess",
            summary=shown("summary", "Summary"),
        ),
    log:
        layout.log("postprocess"),
    benchmark:
        layout.benchmark("postprocess")
    conda:
        environment
    threads: cores_of("postprocess")
    params:
        **depends("postprocess"),
    script:
        "../scripts/stage.py"


if config["page"]["enabled"]:

    rule view:
        """Make the page on which a person looks at the field and its sources."""
        input:
            **reads("view"),
        output:
            **writes("view"),
        log:
            layout.log("view"),
        benchmark:
            layout.benchmark("view")
        conda:
            environment
        threads: cores_of("view")
        params:
            **depends("view"),
        script:
            "../scripts/stage.py"


if simulated:

    rule compare:
        """Compare the results of a simulated run with its truth."""
        input:
            **reads("compare"),
        output:
            **writes(
                "compare",
                comparison=shown("comparison", "Comparison with the truth", "{name}.png"),
            ),
        log:
            layout.log("compare"),
        benchmark:
            layout.benchmark("compare")
        conda:
            environment
        threads: cores_of("compare")
        params:
            **depends("compare"),
        script:
            "../scripts/stage.py"
