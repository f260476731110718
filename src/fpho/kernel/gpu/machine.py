"""What numba leaves to the machine: plain pointers, the exponential, sums of four threads.

In the simulator they are plain Python. An index of a numba array is a signed number that may count from the
end, which takes eight instructions each time on a processor of 32 bits; an element of a pointer takes one.
"""

import math

from numba import cuda

from .transport import SIMULATED

ALIGNED = (
    None if SIMULATED else 16
)  # bytes: four float32 are loaded at once; the simulator knows no alignment
EVERY_LANE = 0xFFFFFFFF

if SIMULATED:

    def pointer(array, first):
        """Element `first` of an array's memory and what follows: p[i] is the i-th after it, i >= 0."""
        return array.reshape(-1)[first:]

    def power(x):
        """2^x of a float32."""
        return math.exp2(x)

    @cuda.jit(device=True)
    def over_four(x, shared):
        """Sum of a number over the four threads 4 i to 4 i + 3, for each of them; all threads take part."""
        me = cuda.threadIdx.x
        shared[me] = x
        cuda.syncthreads()
        a, b, c, d = shared[me & ~3 : (me & ~3) + 4]
        cuda.syncthreads()
        return (a + b) + (c + d)

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def pointer(context, array, first):
        """Element `first` of an array's memory and what follows: p[i] is the i-th after it, i >= 0."""

        def generate(context, builder, signature, values):
            data = context.make_array(signature.args[0])(context, builder, values[0]).data
            return builder.gep(data, [values[1]])

        return types.CPointer(array.dtype)(array, types.int64), generate

    @intrinsic
    def power(context, x):
        """2^x of a float32, by one instruction: relative error 2^-22; 0 below 2^-126."""

        def generate(context, builder, signature, values):
            kind = ir.FunctionType(ir.FloatType(), [ir.FloatType()])
            name = "llvm.nvvm.ex2.approx.ftz.f"
            function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
            return builder.call(function, values)

        return types.float32(types.float32), generate

    @cuda.jit(device=True)
    def over_four(x, shared):
        """Sum of a number over the four threads 4 i to 4 i + 3, for each of them; all threads take part."""
        pair = x + cuda.shfl_xor_sync(EVERY_LANE, x, 1)
        return pair + cuda.shfl_xor_sync(EVERY_LANE, pair, 2)
