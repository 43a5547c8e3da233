// The recurrent cells over whole sequences, forward and backward. The equations stand in kernels/rnn.py, gru.py, lstm.py.
//
// A thread owns some rows of the batch for all steps, so it never waits for another. At each step it packs its rows'
// states, multiplies them with the packed weight tile by tile, and turns a tile into activations while it is in
// registers.
#pragma once

#include "job.h"
#include "product.h"

namespace {

// A job's arrays with their type, and where a step's rows begin in them.
template <class Factors> struct Arrays {
  typedef Number<Factors> Real;
  Index steps, batch, width;
  Real *gates, *states, *cells, *beside, *incoming, *cell_incoming;
  const Real *weight, *recurrent_bias, *from_outputs;
  Packed<Factors>* packed;

  explicit Arrays(const Job& job)
      : steps(job.steps), batch(job.batch), width(job.width),
        gates((Real*)job.gates), states((Real*)job.states), cells((Real*)job.cells), beside((Real*)job.beside),
        incoming((Real*)job.incoming), cell_incoming((Real*)job.cell_incoming),
        weight((const Real*)job.weight), recurrent_bias((const Real*)job.recurrent_bias),
        from_outputs((const Real*)job.from_outputs), packed((Packed<Factors>*)job.packed) {}

  INLINE Index at(Index step, Index row = 0) const { return (step * batch + row) * width; }
};

// -- a weight whose gates stand side by side in a panel, so that a tile holds all gates of its units

template <class Factors> Index unit_panels(Index width) { return above(width, LANES<Number<Factors>>); }

template <class Factors, int GATES> Index packed_gates(Index width) {
  return unit_panels<Factors>(width) * folded<Factors>(width) * GATES * LANES<Number<Factors>>;
}

template <class Factors, int GATES>
void pack_gates(const Number<Factors>* weight, Index width, Packed<Factors>* to, Index part, Index parts) {
  constexpr Index lanes = LANES<Number<Factors>>;
  const Index panels = unit_panels<Factors>(width), size = folded<Factors>(width) * GATES * lanes;
  for (Index panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    pack_panel<Factors, GATES>(Weight<Number<Factors>>{weight, 1, width, width}, [&](int gate) {
      return Columns{gate * width + panel * lanes, width - panel * lanes};
    }, to + panel * size);
}

// -- a weight met as it is: its columns one vector after the other, `VECTORS` a panel

template <class Factors, int VECTORS> Index packed_plain(Index width) {
  return above(width, VECTORS * LANES<Number<Factors>>) * folded<Factors>(width) * VECTORS * LANES<Number<Factors>>;
}

template <class Factors, int VECTORS>
void pack_plain(const Number<Factors>* weight, Index width, Packed<Factors>* to, Index part, Index parts) {
  constexpr Index lanes = LANES<Number<Factors>>;
  const Index panels = above(width, VECTORS * lanes), size = folded<Factors>(width) * VECTORS * lanes;
  for (Index panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
    pack_panel<Factors, VECTORS>(Weight<Number<Factors>>{weight, 1, width, width}, [&](int v) {
      const Index unit = (panel * VECTORS + v) * lanes;
      return Columns{unit, width - unit};
    }, to + panel * size);
}

// step(unit, how many of a vector's lanes are there) for the units of one row, a vector at a time.
template <class Real, class Step> INLINE void for_units(Index width, const Step& step) {
  for (Index unit = 0; unit < width; unit += LANES<Real>) step(unit, width - unit);
}

}  // namespace
