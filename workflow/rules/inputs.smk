"""What a run starts from.

in:  the files that the configuration names (none for the built-in example)
out: simulation/ (built-in example), inputs.json and the configuration as used
"""

if simulated:

    rule simulate:
        """Draw a scene with known truth by GalSim: images, PSFs, catalog."""
        output:
            **writes("simulate"),
        log:
            layout.log("simulate"),
        benchmark:
            layout.benchmark("simulate")
        conda:
            environment
        threads: cores_of("simulate")
        params:
            **depends("simulate"),
        script:
            "../scripts/stage.py"


if groups_of("check") == 1:

    rule check:
        """Check all inputs and options before anything is fitted; name the file and the cure."""
        input:
            **reads("check"),
        output:
            **writes(
                "check",
                checked=update,
            ),
        log:
            layout.log("check"),
        benchmark:
            layout.benchmark("check")
        conda:
            environment
        threads: cores_of("check")
        resources:
            gpu=gpus_of("check"),
        params:
            **depends("check"),
        script:
            "../scripts/stage.py"


rule settings:
    """Write the configuration as used, beside the results."""
    input:
        **reads("settings"),
    output:
        **writes("settings"),
    log:
        layout.log("settings"),
    benchmark:
        layout.benchmark("settings")
    conda:
        environment
    threads: cores_of("settings")
    params:
        **depends("settings"),
    script:
        "../scripts/stage.py"
