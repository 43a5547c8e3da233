// A token out of weights, the greatest of which is 1: top-k, top-p, min-p, then one draw, as in generation/choosing.py.
#include <math.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "passage.h"

namespace {

constexpr double MARGIN = 1e-9;  // as in choosing.py

void keep_top_k(int64_t k, int64_t count, double* weights) {
  std::vector<double> sorted(weights, weights + count);
  std::nth_element(sorted.begin(), sorted.begin() + (k - 1), sorted.end(), std::greater<double>());
  const double least = sorted[static_cast<size_t>(k - 1)];
  int64_t equals = k - std::count_if(weights, weights + count, [=](double weight) { return weight > least; });
  for (int64_t i = 0; i < count; i++)
    if (weights[i] < least || (weights[i] == least && equals-- <= 0)) weights[i] = 0;
}

void keep_top_p(double p, int64_t count, double* weights) {
  std::vector<int64_t> order(static_cast<size_t>(count));
  std::iota(order.begin(), order.end(), int64_t(0));
  std::stable_sort(order.begin(), order.end(), [=](int64_t one, int64_t other) { return weights[one] > weights[other]; });
  double sum = 0, before = 0;
  for (const int64_t i : order) sum += weights[i];
  for (const int64_t i : order) {
    const double weight = weights[i];
    if (!(before < (p - MARGIN) * sum)) weights[i] = 0;
    before += weight;
  }
}

}  // namespace

extern "C" int64_t glassloom_draw(const Choice* choice, int64_t count, double* weights, double uniform) {
  if (choice->top_k > 0 && choice->top_k < count) keep_top_k(choice->top_k, count, weights);
  if (choice->top_p < 1) keep_top_p(choice->top_p, count, weights);
  if (choice->min_p > 0)
    for (int64_t i = 0; i < count; i++) weights[i] = weights[i] >= choice->min_p * (1 - MARGIN) ? weights[i] : 0;
  const double sum = std::accumulate(weights, weights + count, 0.0);
  const double goal = std::min(uniform * sum, nextafter(sum, 0.0));
  double running = 0;
  for (int64_t i = 0; i < count; i++)
    if ((running += weights[i]) > goal) return i;
  return count - 1;  // not reached: the running sum ends at `sum`
}
