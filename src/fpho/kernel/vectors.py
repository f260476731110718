"""Vectors of float32 as a type of numba, so that pixel loops do not hang on the compiler's vectoriser.

A VECTOR has LANES elements: a block of Gaussians, or a row of a grid. A STRIP has ROWS of them, as many
as the processor's widest register takes. `load(array, i)` takes a VECTOR of neighbouring elements of a flat
float32 array from element i on, `load_strip` a STRIP, `load_one` one; `store` puts them back. + - * / and
unary - act on whole vectors, a number beside a vector counts for all its lanes. Multiplications and
additions may be fused; nothing is reordered. LLVM splits a vector where it has to, so the code is right
on any processor.
"""

import operator

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.core.imputils import lower_builtin, lower_cast
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

FEATURES = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
LANES = 8
ROWS = 2 if "+avx512f" in FEATURES.split(",") else 1
F32, F64, I32, I8_POINTER = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(8).as_pointer()
X86 = llvm.get_process_triple().startswith("x86_64")
TO_ZERO = 0x8040  # bits of x86's control word: subnormal results, subnormal operands
FUSED = ("contract", "nsz")


class Vector(types.Type):
    """`lanes` float32 in one value."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
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
    def generic(self, args, kws):
        if len(args) == 1 and isinstance(args[0], Vector):
            return signature(args[0], args[0])


@lower_builtin(operator.neg, Vector)
def lower_neg(context, builder, sig, args):
    return builder.fneg(args[0])


def loader(kind):
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


def doubles(context, builder, array_type, array, index):
    """Pointer to LANES float64 of an array, from element `index` of its data on."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(F64, LANES).as_pointer())


@intrinsic
def scaled_row(typingctx, rows, i, units):
    """LANES float64 of `rows` from i on, times the first of `units`, plus the next; as float32."""

    def codegen(context, builder, sig, args):
        row = builder.load(doubles(context, builder, rows, *args[:2]), align=8)
        factor, shift = (
            builder.load(doubles(context, builder, units, args[2], ir.Constant(args[1].type, at)), align=8)
            for at in (0, LANES)
        )
        exact = builder.fadd(builder.fmul(row, factor, flags=FUSED), shift, flags=FUSED)
        return builder.fptrunc(exact, ir.VectorType(F32, LANES))

    return VECTOR(rows, types.intp, units), codegen


@intrinsic
def add_row(typingctx, rows, i, value, units):
    """Adds a vector, times the first LANES float64 of `units`, to LANES float64 of `rows` from i on."""

    def codegen(context, builder, sig, args):
        place = doubles(context, builder, rows, *args[:2])
        factor = builder.load(
            doubles(context, builder, units, args[3], ir.Constant(args[1].type, 0)), align=8
        )
        wide = builder.fpext(args[2], ir.VectorType(F64, LANES))
        total = builder.fadd(
            builder.fmul(wide, factor, flags=FUSED), builder.load(place, align=8), flags=FUSED
        )
        builder.store(total, place, align=8)
        return context.get_dummy_value()

    return types.none(rows, types.intp, value, units), codegen


@intrinsic
def transposed(typingctx, r0, r1, r2, r3, r4, r5, r6, r7):
    """The columns of eight rows of LANES."""

    def codegen(context, builder, sig, args):
        row = list(args)
        for bit in (4, 2, 1):  # exchanges that bit of the numbers of rows and lanes
            low = [i if not i & bit else LANES + (i ^ bit) for i in range(LANES)]
            high = [i | bit if not i & bit else LANES + i for i in range(LANES)]
            for i in (i for i in range(LANES) if not i & bit):
                pair = row[i], row[i | bit]
                row[i], row[i | bit] = (
                    builder.shuffle_vector(*pair, ir.Constant(ir.VectorType(I32, LANES), lanes))
                    for lanes in (low, high)
                )
        return context.make_tuple(builder, sig.return_type, row)

    return types.UniTuple(VECTOR, LANES)(*[VECTOR] * LANES), codegen


@intrinsic
def put_lanes(typingctx, listed, at, bits, first):
    """Puts first + i into `listed` (int32, flat) for each lane i set in bits, from `at` on; returns how many.

    Writes LANES places in any case: a table instead of a loop, whose end no processor could foresee.
    """

    def codegen(context, builder, sig, args):
        i8, numbers = ir.IntType(8), ir.VectorType(I32, LANES)
        table = [[i for i in range(LANES) if bits >> i & 1] for bits in range(2**LANES)]
        kind = ir.ArrayType(ir.VectorType(i8, LANES), len(table))
        lanes = cgutils.global_constant(
            builder,
            "lanes",
            ir.Constant(
                kind,
                [ir.Constant(ir.VectorType(i8, LANES), (row + [0] * LANES)[:LANES]) for row in table],
            ),
        )
        found = builder.load(builder.gep(lanes, [ir.Constant(args[2].type, 0), args[2]]), align=8)
        base = in_all_lanes(builder, builder.trunc(args[3], I32), LANES)
        data = context.make_array(listed)(context, builder, args[0]).data
        place = builder.bitcast(builder.gep(data, [args[1]]), numbers.as_pointer())
        builder.store(builder.add(builder.zext(found, numbers), base), place, align=4)
        return builder.ctpop(args[2])

    return types.int64(listed, types.intp, types.int64, types.int64), codegen


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
def row_sum(typingctx, row):
    """Sum of the lanes of a row."""

    def codegen(context, builder, sig, args):
        value = [builder.extract_element(args[0], ir.Constant(I32, i)) for i in range(8)]
        while len(value) > 1:
            value = [builder.fadd(a, b) for a, b in zip(value[::2], value[1::2], strict=True)]
        return value[0]

    return types.float32(row), codegen


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


@intrinsic
def lanes_within(typingctx, values, limits):
    """Bits of the lanes in which a value is not above its limit (NaN is not)."""

    def codegen(context, builder, sig, args):
        bits = builder.fcmp_unordered("<=", args[0], args[1])
        return builder.zext(builder.bitcast(bits, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(values, values), codegen


@intrinsic
def first_lane(typingctx, bits):
    """The lowest bit that is set; bits must not be 0."""

    def codegen(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


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


def pairs(builder, a, b):
    """Sums of neighbours, in groups of four lanes: a0 + a1, a2 + a3, b0 + b1, b2 + b3, and so on."""
    lanes = a.type.count
    first = [group + k for group in range(0, lanes, 4) for k in (0, 2, lanes, lanes + 2)]
    even = ir.Constant(ir.VectorType(I32, lanes), first)
    odd = ir.Constant(ir.VectorType(I32, lanes), [i + 1 for i in first])
    return builder.fadd(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))


@intrinsic
def lane_sums(typingctx, m0, m1, m2, m3, m4, m5, m6, m7):
    """The sums over the lanes of eight vectors, as a row."""

    def codegen(context, builder, sig, m):
        low = pairs(builder, pairs(builder, m[0], m[1]), pairs(builder, m[2], m[3]))
        high = pairs(builder, pairs(builder, m[4], m[5]), pairs(builder, m[6], m[7]))
        total, all_lanes = [], range(0, m[0].type.count, LANES)
        for group in (0, 4):
            lanes = [
                of + row + group + i for row in all_lanes for of in (0, m[0].type.count) for i in range(4)
            ]
            total.append(
                builder.shuffle_vector(low, high, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))
            )
        return builder.fadd(*total)

    return m0(*[m0] * 8), codegen
