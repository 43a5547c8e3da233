// The gated recurrent unit in its two forms, gates in the order reset, update, candidate (kernels/gru.py).
#pragma once

#include "cells.h"

namespace {

constexpr int PAIR = 2;  // vectors in a panel: reset beside update

// Both forms share their backward weights: U_r and U_z in one, U_n in another.
template <class Factors> Index gru_backward_pair(Index width) { return packed_size<Factors>(2 * width, width); }

template <class Factors> void gru_pack_backward(const Arrays<Factors>& a, Index part, Index parts) {
  const Index pair = 2 * a.width * a.width;
  pack_weight<Factors>(a.weight, 2 * a.width, a.width, a.packed, part, parts);
  pack_weight<Factors>(a.weight + pair, a.width, a.width, a.packed + gru_backward_pair<Factors>(a.width), part, parts);
}

template <class Factors> Index gru_room(Index width, Index rows, Index own) {
  const Index backward = room_for_rows<Factors, tile_rows(WIDE)>(least(DEPTH, 2 * width), rows);
  return own > backward ? own : backward;
}

// h' = (1 - z) h + z n, n = tanh(W_n x + b_n + U_n (r h)); `beside` keeps r h
template <class Factors> struct GruBefore {
  typedef Number<Factors> Real;
  typedef Vector<Real> V;

  static Index packed(Index width, int direction) {
    if (direction == FORWARD) return packed_gates<Factors, PAIR>(width) + packed_plain<Factors, WIDE>(width);
    return gru_backward_pair<Factors>(width) + packed_size<Factors>(width, width);
  }
  static void pack(const Arrays<Factors>& a, int direction, Index part, Index parts) {
    if (direction == BACKWARD) return gru_pack_backward(a, part, parts);
    pack_gates<Factors, PAIR>(a.weight, a.width, a.packed, part, parts);
    pack_plain<Factors, WIDE>(a.weight + 2 * a.width * a.width, a.width,
                              a.packed + packed_gates<Factors, PAIR>(a.width), part, parts);
  }
  static Index room(Index width, Index rows) {
    return gru_room<Factors>(width, rows, room_for_rows<Factors, tile_rows(PAIR)>(width, rows));
  }

  static void forward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(PAIR)), narrow(first, last, tile_rows(WIDE));
    const Packed<Factors>* to_candidate = a.packed + packed_gates<Factors, PAIR>(a.width);
    for (Index t = 0; t < a.steps; t++) {
      pack_rows<Factors, tile_rows(PAIR)>(a.states + a.at(t), a.width, a.width, blocks, room);
      for_tiles<Factors, PAIR>(unit_panels<Factors>(a.width), a.width, room, a.packed, blocks,
                               [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
        open_gates<decltype(size)::value>(a, t, row, panel * LANES<Real>, left, right);
      });
      pack_rows<Factors, tile_rows(WIDE)>(a.beside + a.at(t), a.width, a.width, narrow, room);
      for_tiles<Factors, WIDE>(above(a.width, WIDE * LANES<Real>), a.width, room, to_candidate, narrow,
                               [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
        take_candidate<decltype(size)::value>(a, t, row, panel * WIDE * LANES<Real>, left, right);
      });
    }
  }

  template <int ROWS>
  static INLINE void open_gates(const Arrays<Factors>& a, Index t, Index row, Index unit, const Packed<Factors>* left,
                                const Packed<Factors>* right) {
    const Index count = a.width - unit;
    Real* gates = a.gates + 3 * a.at(t, row) + unit;
    V sums[ROWS][PAIR];
    for (int r = 0; r < ROWS; r++)
      for (int gate = 0; gate < PAIR; gate++) ahead(gates + (3 * r + gate) * a.width);
    multiply<Factors, ROWS, PAIR>(folded<Factors>(a.width), left, right, sums);
    for (int r = 0; r < ROWS; r++) {
      const Index at = a.at(t, row + r) + unit;
      Real* own = gates + 3 * r * a.width;
      const V reset = sigmoid<Real>(sums[r][0] + load(own, count));
      const V update = sigmoid<Real>(sums[r][1] + load(own + a.width, count));
      store(own, reset, count);
      store(own + a.width, update, count);
      store(a.beside + at, reset * load(a.states + at, count), count);
    }
  }

  template <int ROWS>
  static INLINE void take_candidate(const Arrays<Factors>& a, Index t, Index row, Index begin,
                                    const Packed<Factors>* left, const Packed<Factors>* right) {
    V sums[ROWS][WIDE];
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < WIDE; v++) ahead(a.gates + 3 * a.at(t, row + r) + 2 * a.width + begin + v * LANES<Real>);
    multiply<Factors, ROWS, WIDE>(folded<Factors>(a.width), left, right, sums);
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < WIDE; v++) {
        const Index unit = begin + v * LANES<Real>, count = a.width - unit, at = a.at(t, row + r) + unit;
        Real* gates = a.gates + 3 * a.at(t, row + r) + unit;
        const V candidate = tanh<Real>(sums[r][v] + load(gates + 2 * a.width, count));
        const V update = load(gates + a.width, count), state = load(a.states + at, count);
        store(gates + 2 * a.width, candidate, count);
        store(a.states + a.at(t + 1, row + r) + unit, state + update * (candidate - state), count);
      }
  }

  static void backward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(WIDE));
    const Packed<Factors>* from_candidate = a.packed + gru_backward_pair<Factors>(a.width);
    for (Index t = a.steps - 1; t >= 0; t--) {
      for (Index row = first; row < last; row++) {
        const Index at = a.at(t, row), own = a.at(0, row);
        for_units<Real>(a.width, [&](Index unit, Index count) {
          Real *of_update = a.gates + 3 * at + a.width + unit, *of_candidate = of_update + a.width;
          const V update = load(of_update, count), candidate = load(of_candidate, count);
          const V gradient = load(a.from_outputs + at + unit, count) + load(a.incoming + own + unit, count);
          store(of_candidate, through_tanh(gradient * update, candidate), count);
          store(of_update, through_sigmoid(gradient * (candidate - load(a.states + at + unit, count)), update), count);
          store(a.incoming + own + unit, gradient * (1 - update), count);
        });
      }
      Real* of_product = a.cell_incoming;  // the gradient of r h
      times<Factors>(a.gates + 3 * a.at(t) + 2 * a.width, 3 * a.width, a.width, from_candidate, a.width, of_product,
                     blocks, room, false);
      for (Index row = first; row < last; row++) {
        const Index at = a.at(t, row), own = a.at(0, row);
        for_units<Real>(a.width, [&](Index unit, Index count) {
          Real* of_reset = a.gates + 3 * at + unit;
          const V reset = load(of_reset, count), gradient = load(of_product + own + unit, count);
          store(a.incoming + own + unit, load(a.incoming + own + unit, count) + gradient * reset, count);
          store(of_reset, through_sigmoid(gradient * load(a.states + at + unit, count), reset), count);
        });
      }
      times<Factors>(a.gates + 3 * a.at(t), 3 * a.width, 2 * a.width, a.packed, a.width, a.incoming, blocks, room, true);
    }
  }
};

// h' = (1 - z) n + z h, n = tanh(W_n x + b_n + r u), u = U_n h + c; `beside` keeps u
template <class Factors> struct GruAfter {
  typedef Number<Factors> Real;
  typedef Vector<Real> V;

  static Index packed(Index width, int direction) {
    if (direction == FORWARD) return packed_gates<Factors, 3>(width);
    return gru_backward_pair<Factors>(width) + packed_size<Factors>(width, width);
  }
  static void pack(const Arrays<Factors>& a, int direction, Index part, Index parts) {
    if (direction == BACKWARD) return gru_pack_backward(a, part, parts);
    pack_gates<Factors, 3>(a.weight, a.width, a.packed, part, parts);
  }
  static Index room(Index width, Index rows) {
    return gru_room<Factors>(width, rows, room_for_rows<Factors, tile_rows(3)>(width, rows));
  }

  static void forward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(3));
    for (Index t = 0; t < a.steps; t++) {
      pack_rows<Factors, tile_rows(3)>(a.states + a.at(t), a.width, a.width, blocks, room);
      for_tiles<Factors, 3>(unit_panels<Factors>(a.width), a.width, room, a.packed, blocks,
                            [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
        step<decltype(size)::value>(a, t, row, panel * LANES<Real>, left, right);
      });
    }
  }

  template <int ROWS>
  static INLINE void step(const Arrays<Factors>& a, Index t, Index row, Index unit, const Packed<Factors>* left,
                          const Packed<Factors>* right) {
    const Index count = a.width - unit;
    Real* gates = a.gates + 3 * a.at(t, row) + unit;
    V sums[ROWS][3];
    for (int r = 0; r < ROWS; r++)
      for (int gate = 0; gate < 3; gate++) ahead(gates + (3 * r + gate) * a.width);
    multiply<Factors, ROWS, 3>(folded<Factors>(a.width), left, right, sums);
    for (int r = 0; r < ROWS; r++) {
      const Index at = a.at(t, row + r) + unit;
      Real* own = gates + 3 * r * a.width;
      const V reset = sigmoid<Real>(sums[r][0] + load(own, count));
      const V update = sigmoid<Real>(sums[r][1] + load(own + a.width, count));
      const V product = sums[r][2] + load(a.recurrent_bias + unit, count);
      const V candidate = tanh<Real>(load(own + 2 * a.width, count) + reset * product);
      store(own, reset, count);
      store(own + a.width, update, count);
      store(own + 2 * a.width, candidate, count);
      store(a.beside + at, product, count);
      store(a.states + a.at(t + 1, row + r) + unit, candidate + update * (load(a.states + at, count) - candidate), count);
    }
  }

  static void backward(const Arrays<Factors>& a, Index first, Index last, Packed<Factors>* room) {
    const Blocks blocks(first, last, tile_rows(WIDE));
    const Packed<Factors>* from_candidate = a.packed + gru_backward_pair<Factors>(a.width);
    for (Index t = a.steps - 1; t >= 0; t--) {
      for (Index row = first; row < last; row++) {
        const Index at = a.at(t, row), own = a.at(0, row);
        for_units<Real>(a.width, [&](Index unit, Index count) {
          Real* of_reset = a.gates + 3 * at + unit;
          Real *of_update = of_reset + a.width, *of_candidate = of_update + a.width;
          const V reset = load(of_reset, count), update = load(of_update, count), candidate = load(of_candidate, count);
          const V gradient = load(a.from_outputs + at + unit, count) + load(a.incoming + own + unit, count);
          const V from_candidate = through_tanh(gradient * (1 - update), candidate);
          const V state = load(a.states + at + unit, count), recurrent = load(a.beside + at + unit, count);
          store(of_candidate, from_candidate, count);
          store(of_update, through_sigmoid(gradient * (state - candidate), update), count);
          store(of_reset, through_sigmoid(from_candidate * recurrent, reset), count);
          store(a.beside + at + unit, from_candidate * reset, count);
          store(a.incoming + own + unit, gradient * update, count);
        });
      }
      times<Factors>(a.gates + 3 * a.at(t), 3 * a.width, 2 * a.width, a.packed, a.width, a.incoming, blocks, room, true);
      times<Factors>(a.beside + a.at(t), a.width, a.width, from_candidate, a.width, a.incoming, blocks, room, true);
    }
  }
};

}  // namespace
