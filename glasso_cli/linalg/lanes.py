"""Sums over rows of a few dozen numbers, in vector registers, for compiled kernels to call.

The compiler is not left the order of a sum. It would choose another one in the process that compiles than in those that find the
result in the cache, and with it other last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TOGETHER = 4  # dot products made at once
_LANES = 16  # of a dot product, summed side by side
_INT = ir.IntType(64)


def _combine(
    context: Any,
    out: types.Array,
    rows: types.Array,
    indices: types.Array,
    factors: types.Array,
    first: types.Integer,
    last: types.Integer,
    width: types.IntegerLiteral,
) -> tuple[Any, Callable[..., ir.Value]] | None:
    """``out (width,)`` becomes the sum of ``factors[e] * rows[indices[e]]`` for ``first <= e < last``, one after the other."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    n = width.literal_value
    signature = types.void(out, rows, indices, factors, types.int64, types.int64, width)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        kinds = signature.args
        to, at, of, by = (_data(context, builder, kind, value) for kind, value in zip(kinds[:4], args[:4], strict=True))
        vector = ir.VectorType(context.get_value_type(kinds[1].dtype), n)
        add = _fmuladd(builder, vector)
        start, check, body, end = (
            builder.block,
            *(builder.append_basic_block(name) for name in ("check", "body", "end")),
        )
        builder.branch(check)
        builder.position_at_end(check)
        e, total = builder.phi(_INT), builder.phi(vector)
        e.add_incoming(args[4], start)
        total.add_incoming(ir.Constant(vector, None), start)
        builder.cbranch(builder.icmp_signed("<", e, args[5]), body, end)
        builder.position_at_end(body)
        row = _row(builder, at, of, e, n)
        factor = _splat(builder, builder.load(builder.gep(by, [e])), n)
        more = builder.call(add, [factor, _load(builder, row, vector), total])
        e.add_incoming(builder.add(e, _INT(1)), builder.block)
        total.add_incoming(more, builder.block)
        builder.branch(check)
        builder.position_at_end(end)
        builder.store(total, builder.bitcast(to, vector.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, code


def _add_dots(
    context: Any,
    out: types.Array,
    e: types.Integer,
    left: types.Array,
    right: types.Array,
    rows: types.Array,
    cols: types.Array,
    width: types.IntegerLiteral,
) -> tuple[Any, Callable[..., ir.Value]] | None:
    """Add ``left[rows[k]] . right[cols[k]]`` to ``out[k]`` for the ``TOGETHER`` k from e on; rows have ``width`` float32."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    n = width.literal_value
    signature = types.void(out, types.int64, left, right, rows, cols, width)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        kinds = signature.args
        to, a, b, rows, cols = (_data(context, builder, kinds[k], args[k]) for k in (0, 2, 3, 4, 5))
        lanes = ir.VectorType(ir.FloatType(), _LANES)
        add = _fmuladd(builder, lanes)
        totals = []
        for k in range(TOGETHER):
            at = builder.add(args[1], _INT(k))
            x, y = _row(builder, a, rows, at, n), _row(builder, b, cols, at, n)
            total = ir.Constant(lanes, None)
            for begin in range(0, n, _LANES):
                parts = (_load(builder, builder.gep(data, [_INT(begin)]), lanes) for data in (x, y))
                total = builder.call(add, [*parts, total])
            totals.append(total)
        # neighbours in pairs, twice: every four lanes then hold a part of each of the four sums
        pairs = [_paired(builder, totals[0], totals[1]), _paired(builder, totals[2], totals[3])]
        both = _paired(builder, *pairs)
        size = _LANES
        while size > TOGETHER:
            size //= 2
            both = builder.fadd(_part(builder, both, 0, size), _part(builder, both, size, size))
        four = ir.VectorType(ir.FloatType(), TOGETHER)
        place = builder.bitcast(builder.gep(to, [args[1]]), four.as_pointer())
        builder.store(builder.fadd(builder.load(place, align=4), both), place, align=4)
        return context.get_dummy_value()

    return signature, code


combine: Any = intrinsic(_combine)  # its arguments are arrays and numbers where a kernel calls it
add_dots: Any = intrinsic(_add_dots)


def _data(context: Any, builder: ir.IRBuilder, kind: types.Array, value: ir.Value) -> ir.Value:
    """Where the numbers of an array are."""
    return context.make_array(kind)(context, builder, value).data


def _row(builder: ir.IRBuilder, rows: ir.Value, places: ir.Value, e: ir.Value, width: int) -> ir.Value:
    """Where row ``places[e]`` is, of ``width`` numbers."""
    place = builder.load(builder.gep(places, [e]))
    if place.type.width < _INT.width:
        place = builder.sext(place, _INT)
    return builder.gep(rows, [builder.mul(place, _INT(width))])


def _load(builder: ir.IRBuilder, place: ir.Value, vector: ir.VectorType) -> ir.Value:
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=4)


def _splat(builder: ir.IRBuilder, number: ir.Value, n: int) -> ir.Value:
    one = builder.insert_element(ir.Constant(ir.VectorType(number.type, n), ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), n), [0] * n))


def _fmuladd(builder: ir.IRBuilder, vector: ir.VectorType) -> ir.Value:
    kind = "f32" if isinstance(vector.element, ir.FloatType) else "f64"
    name = f"llvm.fmuladd.v{vector.count}{kind}"
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)


def _shuffled(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, places: Sequence[int]) -> ir.Value:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places)))


def _part(builder: ir.IRBuilder, vector: ir.Value, first: int, n: int) -> ir.Value:
    return _shuffled(builder, vector, vector, range(first, first + n))


def _paired(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """Sums of neighbours, within groups of four lanes: two of a, then two of b."""
    n = _LANES
    even = [k for g in range(0, n, 4) for k in (g, g + 2, n + g, n + g + 2)]
    return builder.fadd(_shuffled(builder, a, b, even), _shuffled(builder, a, b, [k + 1 for k in even]))
