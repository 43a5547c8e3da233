// Long short-term memory, gates in the order input, forget, candidate, output (kernels/lstm.py).
#pragma once

#include "cells.h"

namespace {

template <class Factors> struct Lstm {
  typedef Number<Factors> Real;

  static Index packed(Index width, int direction) {
    return direction == FORWARD ? packed_gates<Factors, 4>(width) : packed_size<Factors>(4 * width, width);
  }
  static void pack(const Arrays<Factors>& a, int direction, Index part, Index parts) {
    if (direction == FORWARD) pack_gates<Factors, 4>(a.weight, a.width, a.packed, part, parts);
    else pack_weight<Factors>(a.weight, 4 * a.width, a.width, a.packed, part, parts);
  }
  static Index room(Index width, Index rows) {
    const Index forward = room_for_rows<Factors, tile_rows(4)>(width, rows);
    const Index backward = room_for_rows<Factors, tile_rows(WIDE)>(least(DEPTH, 4 * width), rows);
    return forward > backward ? forward : backward;
  }

  static void forward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(4));
    for (Index t = 0; t < a.steps; t++) {
      pack_rows<Factors, tile_rows(4)>(a.states + a.at(t), a.width, a.width, blocks, room);
      for_tiles<Factors, 4>(unit_panels<Factors>(a.width), a.width, room, a.packed, blocks,
                            [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
        constexpr int ROWS = decltype(size)::value;
        Vector<Real> sums[ROWS][4];
        const Index unit = panel * LANES<Real>, count = a.width - unit;
        Real* gates = a.gates + 4 * a.at(t, row) + unit;
        for (int r = 0; r < ROWS; r++)
          for (int gate = 0; gate < 4; gate++) ahead(gates + (4 * r + gate) * a.width);
        multiply<Factors, ROWS, 4>(folded<Factors>(a.width), left, right, sums);
        for (int r = 0; r < ROWS; r++) {
          const Index at = a.at(t, row + r) + unit, after = a.at(t + 1, row + r) + unit;
          Real* own = gates + 4 * r * a.width;
          const Vector<Real> enter = sigmoid<Real>(sums[r][0] + load(own, count));
          const Vector<Real> forget = sigmoid<Real>(sums[r][1] + load(own + a.width, count));
          const Vector<Real> candidate = tanh<Real>(sums[r][2] + load(own + 2 * a.width, count));
          const Vector<Real> output = sigmoid<Real>(sums[r][3] + load(own + 3 * a.width, count));
          const Vector<Real> cell = forget * load(a.cells + at, count) + enter * candidate;
          const Vector<Real> shown = tanh<Real>(cell);
          store(own, enter, count);
          store(own + a.width, forget, count);
          store(own + 2 * a.width, candidate, count);
          store(own + 3 * a.width, output, count);
          store(a.cells + after, cell, count);
          store(a.beside + at, shown, count);
          store(a.states + after, output * shown, count);
        }
      });
    }
  }

  static void backward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(WIDE));
    for (Index t = a.steps - 1; t >= 0; t--) {
      for (Index row = first; row < last; row++) {
        const Index at = a.at(t, row), own = a.at(0, row);
        Real* gates = a.gates + 4 * at;
        for_units<Real>(a.width, [&](Index unit, Index count) {
          Real *of_enter = gates + unit, *of_forget = of_enter + a.width;
          Real *of_candidate = of_forget + a.width, *of_output = of_candidate + a.width;
          const Vector<Real> enter = load(of_enter, count), forget = load(of_forget, count);
          const Vector<Real> candidate = load(of_candidate, count), output = load(of_output, count);
          const Vector<Real> shown = load(a.beside + at + unit, count);
          const Vector<Real> gradient = load(a.from_outputs + at + unit, count) + load(a.incoming + own + unit, count);
          const Vector<Real> cell = load(a.cell_incoming + own + unit, count) + through_tanh(gradient * output, shown);
          store(of_enter, through_sigmoid(cell * candidate, enter), count);
          store(of_forget, through_sigmoid(cell * load(a.cells + at + unit, count), forget), count);
          store(of_candidate, through_tanh(cell * enter, candidate), count);
          store(of_output, through_sigmoid(gradient * shown, output), count);
          store(a.cell_incoming + own + unit, cell * forget, count);
        });
      }
      times<Factors>(a.gates + 4 * a.at(t), 4 * a.width, 4 * a.width, a.packed, a.width, a.incoming, blocks, room, false);
    }
  }
};

}  // namespace
