// The simple recurrent layer: h' = f(a), a = W x + b + U h (kernels/rnn.py).
#pragma once

#include "cells.h"

namespace {

// `states` holds W x + b where h' will stand.
template <class Factors, bool RELU> struct Rnn {
  typedef Number<Factors> Real;

  static Index packed(Index width, int direction) {
    return direction == FORWARD ? packed_plain<Factors, WIDE>(width) : packed_size<Factors>(width, width);
  }
  static void pack(const Arrays<Factors>& a, int direction, Index part, Index parts) {
    if (direction == FORWARD) pack_plain<Factors, WIDE>(a.weight, a.width, a.packed, part, parts);
    else pack_weight<Factors>(a.weight, a.width, a.width, a.packed, part, parts);
  }
  static Index room(Index width, Index rows) { return room_for_rows<Factors, tile_rows(WIDE)>(width, rows); }

  static void forward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(WIDE));
    for (Index t = 0; t < a.steps; t++) {
      pack_rows<Factors, tile_rows(WIDE)>(a.states + a.at(t), a.width, a.width, blocks, room);
      for_tiles<Factors, WIDE>(above(a.width, WIDE * LANES<Real>), a.width, room, a.packed, blocks,
                               [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
        constexpr int ROWS = decltype(size)::value;
        Vector<Real> sums[ROWS][WIDE];
        const Index begin = panel * WIDE * LANES<Real>;
        Real* after = a.states + a.at(t + 1, row) + begin;
        for (int r = 0; r < ROWS; r++)
          for (int v = 0; v < WIDE; v++) ahead(after + r * a.width + v * LANES<Real>);
        multiply<Factors, ROWS, WIDE>(folded<Factors>(a.width), left, right, sums);
        for (int r = 0; r < ROWS; r++)
          for (int v = 0; v < WIDE; v++) {
            const Index unit = v * LANES<Real>;
            const Vector<Real> sum = sums[r][v] + load(after + r * a.width + unit, a.width - begin - unit);
            const Vector<Real> state = RELU ? (sum <= 0 ? Vector<Real>{} : sum) : tanh<Real>(sum);
            store(after + r * a.width + unit, state, a.width - begin - unit);
          }
      });
    }
  }

  // `gates` receives the arguments' gradients
  static void backward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(WIDE));
    for (Index t = a.steps - 1; t >= 0; t--) {
      for (Index row = first; row < last; row++) {
        const Index at = a.at(t, row);
        for_units<Real>(a.width, [&](Index unit, Index count) {
          const Vector<Real> after = load(a.states + a.at(t + 1, row) + unit, count);
          const Vector<Real> gradient = load(a.from_outputs + at + unit, count)
                                        + load(a.incoming + a.at(0, row) + unit, count);
          store(a.gates + at + unit, RELU ? (after <= 0 ? Vector<Real>{} : gradient) : through_tanh(gradient, after), count);
        });
      }
      times<Factors>(a.gates + a.at(t), a.width, a.width, a.packed, a.width, a.incoming, blocks, room, false);
    }
  }
};

}  // namespace
