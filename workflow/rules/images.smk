"""Stages that take one image after the other, each as a job for every group of images.

in:  what the stage reads
out: groups/ (what the images of a group gave), and what the stage writes, gathered from there

Used with `workflow.image_groups` above 1. What an image gives does not depend on its group.
"""

for divided in (name for name in STAGES if groups_of(name) > 1):

    if "start" in STAGES[divided].parts:

        rule:
            """What comes before the images."""
            name:
                f"{divided}_start"
            input:
                **job_reads(divided, "start"),
            output:
                **job_writes(divided, "start"),
            log:
                layout.log(f"{divided}_start"),
            benchmark:
                layout.benchmark(f"{divided}_start")
            conda:
                environment
            threads: cores_of(divided)
            params:
                **job_depends(divided, "start"),
            script:
                "../scripts/stage.py"

    rule:
        """The images of one group."""
        name:
            f"{divided}_images"
        input:
            unpack(group_reads(divided)),
        output:
            **job_writes(divided, "images", "{group}"),
        log:
            layout.log(f"{divided}_group{{group}}"),
        benchmark:
            layout.benchmark(f"{divided}_group{{group}}")
        conda:
            environment
        threads: cores_of(divided)
        resources:
            mem_mb=needs_of_images("mem_mb"),
            runtime=needs_of_images("runtime"),
        params:
            **job_depends(divided, "images"),
        script:
            "../scripts/stage.py"

    rule:
        """What all images gave, gathered."""
        name:
            divided
        input:
            **job_reads(divided, "gather"),
        output:
            **job_writes(divided, "gather"),
        log:
            layout.log(divided),
        benchmark:
            layout.benchmark(divided)
        conda:
            environment
        resources:
            gpu=gpus_of(divided),
        params:
            **job_depends(divided, "gather"),
        script:
            "../scripts/stage.py"
