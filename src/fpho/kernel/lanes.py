"""What happens between the lanes of `vectors`: sums over them, transposition, lists of the lanes that count.

Also the way between blocks of Gaussians in float32, an element of each in a lane, and tables in float64 with
a row for each Gaussian.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .vectors import F32, F64, FUSED, I32, LANES, VECTOR, in_all_lanes


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
def row_sum(typingctx, row):
    """Sum of the lanes of a row."""

    def codegen(context, builder, sig, args):
        value = [builder.extract_element(args[0], ir.Constant(I32, i)) for i in range(8)]
        while len(value) > 1:
            value = [builder.fadd(a, b) for a, b in zip(value[::2], value[1::2], strict=True)]
        return value[0]

    return types.float32(row), codegen


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
