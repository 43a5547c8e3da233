// The next token out of logits and a number from [0, 1): the same as generation/choosing.py, which says why.
//
// What an instruction set can speed up stands here, the rest in choice.cpp: templates of the standard library, compiled
// for one instruction set, would be merged with those of another.
#pragma once

#include <math.h>

#include "passage.h"
#include "vector.h"

namespace {

struct Chooser {
  const Choice& choice;
  const Index count;
  double* weights;  // count
  double nats = 0;  // of the token that was chosen

  // The token, or -1 where the probabilities are not finite.
  Index choose(const float* logits, double uniform) {
    Index best = 0;
    for (Index i = 1; i < count; i++)
      if (!(logits[i] <= logits[best])) best = i;  // a NaN is taken, and seen below
    const double whole = logits[best] + log(weigh(logits, logits[best], 1));
    if (!__builtin_isfinite(whole)) return -1;
    Index chosen = best;
    if (!choice.greedy) {
      if (choice.temperature != 1) weigh(logits, logits[best], choice.temperature);
      chosen = glassloom_draw(&choice, count, weights, uniform);
    }
    nats = whole - logits[chosen];
    return chosen;
  }

  // e^((logit - greatest) / temperature) of each; their sum.
  double weigh(const float* logits, double greatest, double temperature) {
    constexpr Index lanes = LANES<double>;
    double sum = 0;
    for (Index at = 0; at < count; at += lanes) {
      const Index left = least(lanes, count - at);
      Vector<double> logit{};
      for (Index lane = 0; lane < left; lane++) logit[lane] = logits[at + lane];
      const Power<double> e = power(within((logit - greatest) / temperature, 700.0));
      store(weights + at, e.fraction * e.scale + e.scale, left);
    }
    for (Index i = 0; i < count; i++) sum += weights[i];
    return sum;
  }
};

}  // namespace
