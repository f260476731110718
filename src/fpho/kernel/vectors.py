"""Vectors of float32 as a type of numba, so that pixel loops do not hang on the compiler's vectoriser.

A VECTOR has LANES elements: a block of Gaussians, or a row of a grid. A STRIP has ROWS of them, as many
as the processor's widest register takes. `load(array, i)` takes a VECTOR of neighbouring elements of a flat
float32 array from element i on, `load_strip` a STRIP, `load_one` one; `store` puts them back. + - * / and
unary - act on whole vectors, a number beside a vector counts for all its lanes. Multiplications and
additions may be fused; nothing is reordered. LLVM splits a vector where it has to, so the code is right
on any processor.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import config
from numba.core.codegen import get_host_cpu_features
from numba.core.imputils import lower_builtin, lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

FEATURES = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
LANES = 8
ROWS = 2 if "+avx512f" in FEATURES.split(",") else 1
F32, F64, I32 = ir.FloatType(), ir.DoubleType(), ir.IntType(32)
FUSED = ("contract", "nsz")


class Vector(types.Type):
    """`lanes` float32 in one value."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """A `Vector` is a vector of LLVM."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(F32, fe_type.lanes))


VECTOR, STRIP = Vector(LANES), Vector(ROWS * LANES)


def in_all_lanes(builder, value, lanes):
    """A scalar, spread over a vector of LLVM."""
    empty = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


@lower_cast(types.Number, Vector)
def from_number(context, builder, fromty, toty, value):
    """A number where a vector is wanted is in all of its lanes."""
    return in_all_lanes(builder, context.cast(builder, value, fromty, types.float32), toty.lanes)


def arithmetic(symbol, instruction):
    """Teaches numba an operation of two vectors, or of a vector and a number."""

    @infer_global(symbol)
    class OfVectors(AbstractTemplate):
        def generic(self, args, kws):
            found = [a for a in args if isinstance(a, Vector)]
            if len(args) == 2 and found and all(a == found[0] or isinstance(a, types.Number) for a in args):
                return signature(found[0], found[0], found[0])

    @lower_builtin(symbol, Vector, Vector)
    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args, flags=FUSED)


for symbol, instruction in (("add", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    arithmetic(getattr(operator, symbol), instruction)


@infer_global(operator.neg)
class OfVector(AbstractTemplate):
    """The type of -v."""

    def generic(self, args, kws):
        """That of v, as numba asks for it."""
        if len(args) == 1 and isinstance(args[0], Vector):
            return signature(args[0], args[0])


@lower_builtin(operator.neg, Vector)
def lower_neg(context, builder, sig, args):
    """Code of -v."""
    return builder.fneg(args[0])


def loader(kind):
    """A function load(array, index) of numba: what stands there in flat float32, as one value of a kind."""

    @intrinsic
    def load(typingctx, array, index):
        def codegen(context, builder, sig, args):
            return builder.load(pointer(context, builder, sig, args, kind), align=4)

        return kind(array, types.intp), codegen

    return load


def pointer(context, builder, sig, args, kind):
    """Address of element args[1] of the flat array args[0], as one of vectors of a kind."""
    data = context.make_array(sig.args[0])(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), context.get_value_type(kind).as_pointer())


load, load_strip, load_one = loader(VECTOR), loader(STRIP), loader(types.float32)


@intrinsic
def store(typingctx, array, index, value):
    """array[index:index + lanes] = value."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], pointer(context, builder, sig, args, value), align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def zero(typingctx):
    """Zeros in all lanes of a VECTOR."""
    zeros = ir.Constant(ir.VectorType(F32, LANES), [0.0] * LANES)
    return VECTOR(), lambda context, builder, sig, args: zeros


@intrinsic
def no_strip(typingctx):
    """Zeros in all lanes of a STRIP."""
    zeros = ir.Constant(ir.VectorType(F32, STRIP.lanes), [0.0] * STRIP.lanes)
    return STRIP(), lambda context, builder, sig, args: zeros


def strip_of(builder, rows):
    """A STRIP made of vectors, or their first."""
    if ROWS == 1:
        return rows[0]
    return builder.shuffle_vector(*rows, ir.Constant(ir.VectorType(I32, 2 * LANES), list(range(2 * LANES))))


@intrinsic
def in_strip(typingctx, x):
    """A vector, the same in each row of a STRIP."""
    return STRIP(x), lambda context, builder, sig, args: strip_of(builder, [args[0], args[0]])


@intrinsic
def joined(typingctx, below, above):
    """A STRIP of two rows."""
    return STRIP(below, above), lambda context, builder, sig, args: strip_of(builder, args)


@intrinsic
def ones_of(typingctx, array, below, above):
    """A STRIP of array[below] in all lanes of the first row and array[above] in those of the second."""

    def codegen(context, builder, sig, args):
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        rows = [in_all_lanes(builder, builder.load(builder.gep(data, [i])), LANES) for i in args[1:]]
        return strip_of(builder, rows)

    return STRIP(array, types.intp, types.intp), codegen


def row_taker(row):
    """A function of numba that takes one row, a VECTOR, out of a STRIP."""

    @intrinsic
    def take(typingctx, strip):
        lanes = ir.Constant(ir.VectorType(I32, LANES), list(range(row * LANES, (row + 1) * LANES)))
        return VECTOR(strip), lambda context, builder, sig, args: builder.shuffle_vector(
            args[0], args[0], lanes
        )

    return take


first_row, last_row = row_taker(0), row_taker(ROWS - 1)


@intrinsic
def rows_sum(typingctx, strip):
    """The sum of the rows of a STRIP, as a vector."""

    def codegen(context, builder, sig, args):
        if ROWS == 1:
            return args[0]
        halves = (
            ir.Constant(ir.VectorType(I32, LANES), [k * LANES + i for i in range(LANES)]) for k in (0, 1)
        )
        return builder.fadd(*(builder.shuffle_vector(args[0], args[0], half) for half in halves))

    return VECTOR(strip), codegen


@intrinsic
def multiply_add(typingctx, a, b, c):
    """a b + c, rounded once where the processor can."""

    def codegen(context, builder, sig, args):
        kind = args[0].type
        name = f"llvm.fmuladd.v{kind.count}f32"
        function = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(kind, [kind] * 3), name
        )
        return builder.call(function, args)

    return a(a, a, a), codegen


@intrinsic
def columns(typingctx):
    """0 to 7 as a row."""
    row = ir.Constant(ir.VectorType(F32, 8), [float(i) for i in range(8)])
    return VECTOR(), lambda context, builder, sig, args: row


@intrinsic
def clamped(typingctx, x, low, high):
    """min(max(x, low), high) of a vector or number; NaN stays."""

    def codegen(context, builder, sig, args):
        value, low, high = args
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return x(x, x, x), codegen


@intrinsic
def unless_above(typingctx, x, limit, value):
    """`value`, or 0 in lanes where x > limit (not where it is NaN)."""

    def codegen(context, builder, sig, args):
        above = builder.fcmp_ordered(">", args[0], args[1])
        return builder.select(above, ir.Constant(args[2].type, [0.0] * x.lanes), args[2])

    return value(x, x, value), codegen


@intrinsic
def if_positive(typingctx, x, value):
    """`value` in lanes where x > 0, or 0 (also where x is NaN)."""

    def codegen(context, builder, sig, args):
        zeros = ir.Constant(args[0].type, [0.0] * x.lanes)
        return builder.select(builder.fcmp_ordered(">", args[0], zeros), args[1], zeros)

    return value(x, value), codegen


@intrinsic
def power_of_two(typingctx, shifted):
    """2^i, i = shifted - 1.5 * 2^23 a whole number from -126 to 127: the lowest bits of `shifted`, moved."""

    def codegen(context, builder, sig, args):
        of_float = args[0].type
        lanes = getattr(shifted, "lanes", 0)
        of_int = ir.VectorType(I32, lanes) if lanes else I32
        constant = lambda n: ir.Constant(of_int, [n] * lanes if lanes else n)  # noqa: E731
        exponent = builder.add(builder.bitcast(args[0], of_int), constant(127))
        return builder.bitcast(builder.shl(exponent, constant(23)), of_float)

    return shifted(shifted), codegen
