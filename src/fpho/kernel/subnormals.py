"""Float32 below 1.2e-38 taken for zero while a thread works in the kernel.

Far from a narrow Gaussian's centre its values and the factors of its recurrences are that small. Intel's
processors stop for some 150 cycles at each operation with such a number.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import I32

I8_POINTER = ir.IntType(8).as_pointer()
X86 = llvm.get_process_triple().startswith("x86_64")
TO_ZERO = 0x8040  # bits of x86's control word: subnormal results, subnormal operands


def control(builder, name, slot):
    """One of the two instructions that move the control word of x86's floating-point arithmetic."""
    kind = ir.FunctionType(ir.VoidType(), [slot.type])
    builder.call(builder.module.declare_intrinsic(f"llvm.x86.sse.{name}", (), kind), [slot])


@intrinsic
def without_subnormals(typingctx):
    """From here on this thread takes float32 below 1.2e-38 for zero; returns what `restored` wants.

    Intel's processors stop for some 150 cycles at each of them. Others than x86 are left as they are.
    """

    def codegen(context, builder, sig, args):
        if not X86:
            return ir.Constant(I32, 0)
        word = cgutils.alloca_once(builder, I32)
        slot = builder.bitcast(word, I8_POINTER)
        control(builder, "stmxcsr", slot)
        before = builder.load(word)
        builder.store(builder.or_(before, ir.Constant(I32, TO_ZERO)), word)
        control(builder, "ldmxcsr", slot)
        return before

    return types.int32(), codegen


@intrinsic
def restored(typingctx, before):
    """Undoes `without_subnormals`."""

    def codegen(context, builder, sig, args):
        if X86:
            word = cgutils.alloca_once_value(builder, args[0])
            control(builder, "ldmxcsr", builder.bitcast(word, I8_POINTER))
        return context.get_dummy_value()

    return types.none(types.int32), codegen
