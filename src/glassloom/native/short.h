// What surrounds a short sequence's steps: the input products before them, the weights' gradients behind them.
//
// The factors are read where they lie. With some dozens of rows in all, packing them would take as long as the products.
#pragma once

#include "cells.h"

namespace {

constexpr int SHORT_ROWS = 6;  // of a tile

// A factor whose element (i, k) stands at from[i * down + k * right].
template <class Real> struct Strided {
  const Real* from;
  Index down, right;
};

// A tile of ROWS x VECTORS sums over `depth`; `place`: where a vector's columns begin. Columns fewer than a vector's
// lanes are loaded and stored with their count (WHOLE: there are none such).
template <class Real, int ROWS, int VECTORS, bool WHOLE>
INLINE void short_tile(Strided<Real> left, const Real* right, Index depth, Index columns, const Index (&place)[VECTORS],
                       Real* to) {
  const Index count = WHOLE ? LANES<Real> : columns;
  Vector<Real> sums[ROWS][VECTORS] = {};
  for (Index k = 0; k < depth; k++) {
    Vector<Real> vectors[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) vectors[v] = load(right + k * columns + place[v], count);
    UNROLL for (int r = 0; r < ROWS; r++)
      UNROLL for (int v = 0; v < VECTORS; v++) sums[r][v] += vectors[v] * left.from[r * left.down + k * left.right];
  }
  UNROLL for (int r = 0; r < ROWS; r++)
    UNROLL for (int v = 0; v < VECTORS; v++) store(to + r * columns + place[v], sums[r][v], count);
}

// to (columns wide) = left times right (depth x columns, row by row), for the rows first..last of both `left` and `to`.
// The last vector of a row begins early rather than end late: what it holds again is the same.
template <class Real>
void short_product(Strided<Real> left, const Real* right, Index depth, Index columns, Real* to, Index first, Index last) {
  constexpr Index lanes = LANES<Real>;
  const Blocks blocks(first, last, SHORT_ROWS);
  for (Index column = 0; column < columns; column += WIDE * lanes)
    with_known<WIDE>(least(above(columns - column, lanes), WIDE), [&](auto vectors) {
      constexpr int VECTORS = decltype(vectors)::value;
      Index place[VECTORS];
      for (int v = 0; v < VECTORS; v++) place[v] = columns < lanes ? 0 : least(column + v * lanes, columns - lanes);
      for (Index block = 0; block < blocks.count; block++)
        with_known<SHORT_ROWS>(blocks.size(block), [&](auto size) {
          constexpr int ROWS = decltype(size)::value;
          const Index row = blocks.begin(block);
          const Strided<Real> own{left.from + row * left.down, left.down, left.right};
          if (columns >= lanes) short_tile<Real, ROWS, VECTORS, true>(own, right, depth, columns, place, to + row * columns);
          else if constexpr (VECTORS == 1)
            short_tile<Real, ROWS, 1, false>(own, right, depth, columns, place, to + row * columns);
        });
    });
}

// to[column] = the sum over rows, for the columns first..last.
template <class Real> void sum_rows(const Real* from, Index rows, Index columns, Real* to, Index first, Index last) {
  for (Index column = first; column < last; column += LANES<Real>) {
    Vector<Real> sum{};
    for (Index row = 0; row < rows; row++) sum += load(from + row * columns + column, last - column);
    store(to + column, sum, last - column);
  }
}

// Numbers that `project_short` keeps.
inline Index short_room(const Job& job) {
  return job.steps * job.batch * (job.inputs + gates_of(job.cell) * job.width);
}

// W x + b of every step, for the gates' units first..last: computed as W x^T, so that the weight is read as it lies.
template <class Real> void project_short(const Job& job, Index first, Index last, Real* room) {
  const Index rows = job.steps * job.batch, all = gates_of(job.cell) * job.width;
  const bool in_states = job.cell == RNN_TANH || job.cell == RNN_RELU;
  Real *turned = room, *products = room + rows * job.inputs;
  Real* to = in_states ? (Real*)job.states + job.batch * job.width : (Real*)job.gates;
  for (Index row = 0; row < rows; row++)
    for (Index k = 0; k < job.inputs; k++) turned[k * rows + row] = ((const Real*)job.from_below)[row * job.inputs + k];
  short_product<Real>({(const Real*)job.input_weight, job.inputs, 1}, turned, job.inputs, rows, products, first, last);
  for (Index row = 0; row < rows; row++)
    for (Index unit = first; unit < last; unit++)
      to[row * all + unit] = products[unit * rows + row] + ((const Real*)job.bias)[unit];
}

// Every gradient of the layer but the first state's, from those of the gates' arguments: part `part` of `parts`.
template <class Real> void gradients_short(const Job& job, Index part, Index parts) {
  const Index rows = job.steps * job.batch, width = job.width, all = gates_of(job.cell) * width;
  const Index first = all * part / parts, last = all * (part + 1) / parts;
  const bool before = job.cell == GRU_RESET_BEFORE, after = job.cell == GRU_RESET_AFTER;
  const Real *gates = (const Real*)job.gates, *states = (const Real*)job.states, *beside = (const Real*)job.beside;
  Real* to_recurrent = (Real*)job.to_recurrent;
  const Strided<Real> turned{gates, 1, all};
  short_product<Real>(turned, (const Real*)job.from_below, rows, job.inputs, (Real*)job.to_weight, first, last);
  const Index plain = before || after ? 2 * width : all;  // gates that met the states; a GRU's candidate behind them
  short_product<Real>(turned, states, rows, width, to_recurrent, least(first, plain), least(last, plain));
  const Index from = first > plain ? first : plain;
  if (from < last && before) short_product<Real>(turned, beside, rows, width, to_recurrent, from, last);
  if (from < last && after) {
    Real* to_candidate = to_recurrent + plain * width;
    short_product<Real>({beside, 1, width}, states, rows, width, to_candidate, from - plain, last - plain);
    sum_rows<Real>(beside, rows, width, (Real*)job.to_recurrent_bias, from - plain, last - plain);
  }
  sum_rows<Real>(gates, rows, all, (Real*)job.to_bias, first, last);
  if (job.to_below != nullptr)
    short_product<Real>({gates, all, 1}, (const Real*)job.input_weight, all, job.inputs, (Real*)job.to_below,
                        rows * part / parts, rows * (part + 1) / parts);
}

}  // namespace
