// A vector times a packed matrix: what a single row's products are. Reading the matrix is all the work there is.
#pragma once

#include "passage.h"
#include "vector.h"

namespace {

constexpr Index WIDE = LANES<float>;
constexpr int PANEL = 8;  // vectors: as many sums as hide an addition's latency

enum Start { FROM_BIAS, FROM_SUM };  // y = W x + b, or y += W x + b

template <int VECTORS>
INLINE void panel(const float* weight, const float* bias, const float* x, Index inputs, float* y, Index columns, Start start) {
  Vector<float> sum[VECTORS];
  UNROLL for (int v = 0; v < VECTORS; v++) {
    const Index at = v * WIDE, left = columns - at;
    sum[v] = bias == nullptr ? Vector<float>{} : load(bias + at, left);
    if (start == FROM_SUM) sum[v] += load(y + at, left);
  }
  for (Index k = 0; k < inputs; k++, weight += VECTORS * WIDE)
    UNROLL for (int v = 0; v < VECTORS; v++) sum[v] += load(weight + v * WIDE, WIDE) * x[k];
  UNROLL for (int v = 0; v < VECTORS; v++) store(y + v * WIDE, sum[v], columns - v * WIDE);
}

template <int VECTORS> INLINE void last_panel(
    Index vectors, const float* weight, const float* bias, const float* x, Index inputs, float* y, Index columns, Start start) {
  if constexpr (VECTORS > 0) {
    if (vectors == VECTORS) panel<VECTORS>(weight, bias, x, inputs, y, columns, start);
    else last_panel<VECTORS - 1>(vectors, weight, bias, x, inputs, y, columns, start);
  }
}

void product(const Matrix& matrix, const float* x, float* y, Start start) {
  const float* weight = matrix.panels;
  const float* bias = matrix.bias;
  for (Index left = matrix.outputs; left > 0;) {
    const Index vectors = least(above(left, WIDE), PANEL), columns = least(left, PANEL * WIDE);
    last_panel<PANEL>(vectors, weight, bias, x, matrix.inputs, y, columns, start);
    weight += vectors * WIDE * matrix.inputs;
    if (bias != nullptr) bias += columns;
    y += columns;
    left -= columns;
  }
}

// to[i] = function(i) for vectors of lanes i.., `count` in all.
template <class Function> INLINE void each(Index count, float* to, const Function& function) {
  for (Index at = 0; at < count; at += WIDE) store(to + at, function(at, count - at), count - at);
}

INLINE float total(Vector<float> vector) {
  float sum = 0;
  for (Index lane = 0; lane < WIDE; lane++) sum += vector[lane];
  return sum;
}

}  // namespace
