"""Stack frames of compiled functions that begin where a cache line does.

A vector of 64 bytes that is kept on the stack for a while lies across two lines otherwise, in three of four
places where the stack may stand, and now and then across two pages, which costs a hundred cycles at each
access. Where it stands depends on the thread and on the environment of the process.
"""

from numba import types
from numba.extending import intrinsic

LINE = 64  # bytes


@intrinsic
def aligned_frame(typingctx):
    """Anywhere in a function: its own frame, where it is not inlined, begins at a cache line."""

    def codegen(context, builder, sig, args):
        attributes = builder.function.attributes
        attributes.add("nounwind")  # llvmlite writes none where there is only the next one
        attributes.alignstack = LINE
        return context.get_dummy_value()

    return types.none(), codegen
