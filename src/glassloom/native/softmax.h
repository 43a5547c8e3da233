// From logits to the loss of each row, and to the gradient of the logits in their place (kernels/output.py).
#pragma once

#include <cmath>

#include "job.h"
#include "vector.h"

namespace {

// Numbers kept as bfloat16, the upper half of a float32.
struct Half {
  uint16_t bits;
};

template <class Kept> struct Wide { typedef Kept Number; };
template <> struct Wide<Half> { typedef float Number; };

template <class Kept> INLINE Vector<Kept> widened(const Kept* from, Index count) { return load(from, count); }
INLINE Vector<float> widened(const Half* from, Index count) {
  typedef uint16_t Halves __attribute__((vector_size(VECTOR_BYTES / 2)));
  typedef uint32_t Words __attribute__((vector_size(VECTOR_BYTES)));
  Halves halves{};
  if (count >= LANES<float>) memcpy(&halves, from, sizeof halves);
  else memcpy(&halves, from, count * sizeof(Half));
  const Words words = __builtin_convertvector(halves, Words) << 16;
  Vector<float> values;
  memcpy(&values, &words, sizeof values);
  return values;
}

template <class Kept> INLINE void narrowed(Kept* to, Vector<Kept> values, Index count) { store(to, values, count); }
INLINE void narrowed(Half* to, Vector<float> values, Index count) {  // to the nearest, ties to even
  typedef uint16_t Halves __attribute__((vector_size(VECTOR_BYTES / 2)));
  typedef uint32_t Words __attribute__((vector_size(VECTOR_BYTES)));
  Words words;
  memcpy(&words, &values, sizeof words);
  const Words unsound = (Words)(values != values);
  words = (words + 0x7fff + ((words >> 16) & 1)) >> 16;
  words = (unsound & 0x7fc0) | (~unsound & words);
  const Halves halves = __builtin_convertvector(words, Halves);
  if (count >= LANES<float>) memcpy(to, &halves, sizeof halves);
  else memcpy(to, &halves, count * sizeof(Half));
}

template <class Number> INLINE Number total(Vector<Number> values) {
  Number sum = 0;
  for (Index lane = 0; lane < LANES<Number>; lane++) sum += values[lane];
  return sum;
}

template <class Number> INLINE Number largest(Vector<Number> values) {
  Number most = values[0];
  for (Index lane = 1; lane < LANES<Number>; lane++) most = values[lane] > most ? values[lane] : most;
  return most;
}

// The lanes that are there keep their value, the others have `otherwise`.
template <class Number> INLINE Vector<Number> where_there(Vector<Number> value, Index count, Number otherwise) {
  if (count >= LANES<Number>) return value;
  Bits<Number> lane;
  for (Index l = 0; l < LANES<Number>; l++) lane[l] = l;
  return lane < (decltype(lane[0] + 0))count ? value : all(otherwise);
}

// Rows first..last: nats = ln sum_j e^(x_j + b_j) - x_t - b_t; then x_j becomes weight (softmax_j - [j = t]).
template <class Kept> void softmax_rows(const Softmax& job, Index first, Index last) {
  typedef typename Wide<Kept>::Number Number;
  typedef Vector<Number> V;
  constexpr Index lanes = LANES<Number>;
  const Number *bias = (const Number*)job.bias, *weights = (const Number*)job.weights;
  for (Index row = first; row < last; row++) {
    Kept* logits = (Kept*)job.logits + row * job.vocabulary;
    Kept* of_target = logits + job.targets[row];
    const auto at = [&](Index j) {
      const Index count = job.vocabulary - j;
      return bias ? widened(logits + j, count) + load(bias + j, count) : widened(logits + j, count);
    };
    V most = all(-(Number)INFINITY);
    for (Index j = 0; j < job.vocabulary; j += lanes) {
      const V value = where_there<Number>(at(j), job.vocabulary - j, -(Number)INFINITY);
      most = value > most ? value : most;
    }
    const Number top = largest<Number>(most);
    const Number own = widened(of_target, 1)[0] + (bias ? bias[job.targets[row]] : 0) - top;
    V sums{};
    for (Index j = 0; j < job.vocabulary; j += lanes) {
      const Power<Number> raised = power(within(at(j) - top, steepest(Number())));
      const V term = where_there<Number>(raised.fraction * raised.scale + raised.scale, job.vocabulary - j, 0);
      sums += term;
      if (job.gradient) narrowed(logits + j, term, job.vocabulary - j);
    }
    const Number sum = total<Number>(sums);
    ((Number*)job.nats)[row] = std::log(sum) - own;
    if (!job.gradient) continue;
    const Number scale = weights[row] / sum;
    for (Index j = 0; j < job.vocabulary; j += lanes)
      narrowed(logits + j, widened(logits + j, job.vocabulary - j) * scale, job.vocabulary - j);
    narrowed(of_target, all<Number>(std::exp(own) * scale - weights[row]), 1);
  }
}

}  // namespace
