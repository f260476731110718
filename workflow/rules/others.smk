"""Stages without a rule of their own: all that a rule says is what the registry says of them; not part of `all`.

in:  what the stage reads
out: what the stage writes
"""

for other in without_rule():

    rule:
        """What the registry says of the stage (`fpho stages`)."""
        name:
            other
        input:
            **reads(other),
        output:
            **writes(other),
        log:
            layout.log(other),
        benchmark:
            layout.benchmark(other)
        conda:
            environment
        threads: cores_of(other)
        params:
            **depends(other),
        script:
            "../scripts/stage.py"
