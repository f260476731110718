"""PSFs and galaxy profiles as sums of Gaussians.

in:  PSF images or a PSF store; a table of Sersic mixtures, or the shipped one
out: psf/, sersic/
"""


rule psf:
    """Turn PSF images into mixtures of Gaussians, and report how well each does."""
    input:
        **reads("psf"),
    output:
        **writes(
            "psf",
            quality=shown("psf_quality", "PSF"),
        ),
    log:
        layout.log("psf"),
    benchmark:
        layout.benchmark("psf")
    conda:
        environment
    threads: cores_of("psf")
    params:
        **depends("psf"),
    script:
        "../scripts/stage.py"


rule sersic:
    """Take the table of Sersic mixtures, shipped or given, or make it again (`sersic.remake`)."""
    input:
        **reads("sersic"),
    output:
        **writes("sersic"),
    log:
        layout.log("sersic"),
    benchmark:
        layout.benchmark("sersic")
    conda:
        environment
    threads: cores_of("sersic")
    params:
        **depends("sersic"),
    script:
        "../scripts/stage.py"
