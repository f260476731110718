"""Stages around the passes over patches, each one job for the whole scene.

in:  exposures, peak catalog, psf/, scene/
out: stores/, scene/initial.fits, background/, scene/detect.fits, catalogs/postop_catalog.fits
"""

if groups_of("preprocess") == 1:

    rule preprocess:
        """Turn images into stores: calibrated pixels in super-pixel order, a file for each, and an index."""
        input:
            **reads("preprocess"),
        output:
            **writes("preprocess"),
        log:
            layout.log("preprocess"),
        benchmark:
            layout.benchmark("preprocess")
        conda:
            environment
        threads: cores_of("preprocess")
        params:
            **depends("preprocess"),
        script:
            "../scripts/stage.py"


if groups_of("scene") == 1:

    rule scene:
        """Turn the peak catalog into the first state of the super-scene."""
        input:
            **reads("scene"),
        output:
            **writes("scene"),
        log:
            layout.log("scene"),
        benchmark:
            layout.benchmark("scene")
        conda:
            environment
        threads: cores_of("scene")
        params:
            **depends("scene"),
        script:
            "../scripts/stage.py"


if groups_of("background") == 1:

    rule background:
        """Fit the residual background of each exposure or band, robustly against sources."""
        input:
            **reads("background"),
        output:
            **writes(
                "background",
                background=shown("background", "Background"),
            ),
        log:
            layout.log("background"),
        benchmark:
            layout.benchmark("background")
        conda:
            environment
        threads: cores_of("background")
        params:
            **depends("background"),
        script:
            "../scripts/stage.py"


rule detect:
    """Look in the residual images for objects that the catalog lacks (optional)."""
    input:
        **reads("detect"),
    output:
        **writes("detect"),
    log:
        layout.log("detect"),
    benchmark:
        layout.benchmark("detect")
    conda:
        environment
    threads: cores_of("detect")
    params:
        **depends("detect"),
    script:
        "../scripts/stage.py"


rule postop:
    """Write the catalog of the optimum with flux uncertainties, the start of sampling."""
    input:
        **reads("postop"),
    output:
        **writes("postop"),
    log:
        layout.log("postop"),
    benchmark:
        layout.benchmark("postop")
    conda:
        environment
    threads: cores_of("postop")
    params:
        **depends("postop"),
    script:
        "../scripts/stage.py"
