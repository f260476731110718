"""Stages around the passes over patches, each one job for the whole scene.

in:  exposures, peak catalog, psf/, scene/
out: stores/, scene/initial.fits, background/, scene/detect.fits, catalogs/postop_catalog.fits
"""


rule preprocess:
    """Turn images into stores: calibrated pixels in super-pixel order, and metadata."""
    input:
        given(inputs_used.images),
        checked=layout.checked,
    output:
        stores("all"),
    log:
        layout.log("preprocess"),
    benchmark:
        layout.benchmark("preprocess")
    conda:
        environment
    threads: all_cores()
    params:
        options=options("preprocess", "images", "bands"),
        code=code("preprocess"),
    shell:
        "python -m fpho preprocess --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


rule scene:
    """Turn the peak catalog into the first state of the super-scene."""
    input:
        given(inputs_used.catalog),
        stores("all"),
        psf=layout.psf_store,
        checked=layout.checked,
    output:
        layout.scene("initial"),
    log:
        layout.log("scene"),
    benchmark:
        layout.benchmark("scene")
    conda:
        environment
    params:
        options=options("catalog", "bands", "bounds", "patches", "seed"),
        code=code("scene"),
    shell:
        "python -m fpho scene --config $FPHO_CONFIG > {log} 2>&1"


rule background:
    """Fit the residual background of each exposure or band, robustly against sources."""
    input:
        given(tweakbg),
        stores("all"),
        scene=layout.scene("optimize"),
        psf=layout.psf_store,
        sersic=layout.sersic_table,
        checked=layout.checked,
    output:
        shown(layout.background, "background", "Background"),
        layout.registration,
    log:
        layout.log("background"),
    benchmark:
        layout.benchmark("background")
    conda:
        environment
    threads: all_cores()
    params:
        options=options(
            "background", "registration", "bands", "optimize.on", "sample.on", "psf.interpolation"
        ),
        code=code("background"),
    shell:
        "python -m fpho background --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


rule detect:
    """Look in the residual images for objects that the catalog lacks (optional)."""
    input:
        stores("all"),
        scene=layout.scene("optimize"),
        background=layout.background,
        registration=layout.registration,
        psf=layout.psf_store,
        sersic=layout.sersic_table,
        checked=layout.checked,
    output:
        layout.scene("detect"),
    log:
        layout.log("detect"),
    benchmark:
        layout.benchmark("detect")
    conda:
        environment
    threads: all_cores()
    params:
        options=options("detect", "bands", "bounds"),
        code=code("detect"),
    shell:
        "python -m fpho detect --config $FPHO_CONFIG --cores {threads} > {log} 2>&1"


rule postop:
    """Write the catalog of the optimum with flux uncertainties, the start of sampling."""
    input:
        layout.scene("reoptimize"),
    output:
        layout.postop,
    log:
        layout.log("postop"),
    benchmark:
        layout.benchmark("postop")
    conda:
        environment
    params:
        options=options("bands"),
        code=code("postop"),
    shell:
        "python -m fpho postop --config $FPHO_CONFIG > {log} 2>&1"
