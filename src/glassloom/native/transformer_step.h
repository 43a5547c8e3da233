// One token through a transformer, its keys and values kept. The equations stand in models/transformer.py, attention.py.
#pragma once

#include <math.h>

#include "matrix.h"

namespace {

typedef Vector<float> V;

// erf x (Abramowitz and Stegun 1964, 7.1.26); the error is below 1.5e-7.
INLINE V erf(V x) {
  const V size = x < 0 ? -x : x, t = 1.0f / (1.0f + 0.3275911f * size);
  V sum = all(1.061405429f);
  sum = sum * t - 1.453152027f;
  sum = sum * t + 1.421413741f;
  sum = sum * t - 0.284496736f;
  sum = sum * t + 0.254829592f;
  const Power<float> bell = power(within(-size * size, 80.0f));
  const V value = 1.0f - sum * t * (bell.fraction * bell.scale + bell.scale);
  return x < 0 ? -value : value;
}

struct TransformerStep {
  const Network& network;
  const TransformerPart* parts;
  const Index width, heads, head, context, blocks;
  float *state, *stream, *normal, *projected, *mixed, *cosine, *sine, *scores, *inner;

  static Index widest(const Network& network) {
    Index most = 0;
    for (Index i = 0; i < network.count; i++) {
      const Index outputs = ((const TransformerPart*)network.parts)[i].inner.outputs;
      most = outputs > most ? outputs : most;
    }
    return most;
  }
  static Index room(const Network& network) {
    return 7 * network.width + above(network.context, SLOTS) * SLOTS + widest(network);
  }

  TransformerStep(const Network& network, float* state, float* room)
      : network(network), parts((const TransformerPart*)network.parts), width(network.width), heads(network.heads),
        head(width / heads), context(network.context), blocks(above(context, SLOTS)), state(state), stream(room),
        normal(stream + width), projected(normal + width), mixed(projected + 3 * width), cosine(mixed + width),
        sine(cosine + head / 2), scores(room + 7 * width), inner(scores + blocks * SLOTS) {}

  const float* read(Index token, Index position) {
    each(width, stream, [&](Index at, Index left) {
      const V value = load(network.table + token * width + at, left);
      return network.positions == nullptr ? value : value + load(network.positions + position * width + at, left);
    });
    for (Index plane = 0; network.frequencies != nullptr && plane < head / 2; plane++) {
      const double angle = (double)position * network.frequencies[plane];
      cosine[plane] = (float)cos(angle), sine[plane] = (float)sin(angle);
    }
    float* kept = state;
    for (Index i = 0; i < network.count; i++) {
      const TransformerPart& part = parts[i];
      const float* from = stream;
      if (!network.after) from = normalized(part.norm, stream, normal);
      if (part.attends) {
        product(part.inner, from, projected, FROM_BIAS);
        attend(kept, position);
        product(part.outer, mixed, stream, FROM_SUM);
        kept += 2 * blocks * SLOTS * width;
      } else {
        product(part.inner, from, inner, FROM_BIAS);
        activate(part.outer.inputs);
        product(part.outer, inner, stream, FROM_SUM);
      }
      if (network.after) normalized(part.norm, stream, stream);
    }
    return network.final.weight == nullptr ? stream : normalized(network.final, stream, normal);
  }

  const float* normalized(const Norm& norm, const float* from, float* to) {
    V sum{};
    for (Index at = 0; at < width; at += WIDE) sum += load(from + at, width - at);
    const float mean = network.rms ? 0.0f : total(sum) / (float)width;
    V squares{};
    for (Index at = 0; at < width; at += WIDE) {
      const Index left = width - at;
      V from_mean = load(from + at, left) - mean;
      if (left < WIDE)
        for (Index lane = left; lane < WIDE; lane++) from_mean[lane] = 0;
      squares += from_mean * from_mean;
    }
    const float scale = 1.0f / sqrtf(total(squares) / (float)width + (float)network.epsilon);
    each(width, to, [&](Index at, Index left) {
      const V value = (load(from + at, left) - mean) * scale * load(norm.weight + at, left);
      return norm.bias == nullptr ? value : value + load(norm.bias + at, left);
    });
    return to;
  }

  void activate(Index count) {
    each(count, inner, [&](Index at, Index left) -> V {
      const V x = load(inner + at, left);
      switch (network.activation) {
        case GELU: return x * 0.5f * (1.0f + erf(x * 0.70710678f));
        case GELU_TANH: return x * 0.5f * (1.0f + tanh<float>(0.79788456f * x * (1.0f + 0.044715f * x * x)));
        case SWIGLU: {
          const V gate = load(inner + count + at, left);
          return x * gate * sigmoid<float>(gate);
        }
        case RELU2: return x < 0 ? V{} : x * x;
        default: return x < 0 ? V{} : x;
      }
    });
  }

  // -- attention

  void attend(float* keys, Index position) {
    float *query = projected, *key = projected + width, *value = projected + 2 * width;
    float* values = keys + blocks * SLOTS * width;
    const Index slot = position % context, seen = least(position + 1, context);
    if (network.frequencies != nullptr) turn(query), turn(key);
    for (Index h = 0; h < heads; h++)
      for (Index d = 0; d < head; d++)
        keys[((h * blocks + slot / SLOTS) * head + d) * SLOTS + slot % SLOTS] = key[h * head + d];
    memcpy(values + slot * width, value, width * sizeof(float));
    for (Index h = 0; h < heads; h++) {
      const float sum = weigh(query + h * head, keys + h * blocks * SLOTS * head, seen);
      mix(values + h * head, seen, 1 / sum, mixed + h * head);
    }
  }

  void turn(float* values) {
    const Index planes = head / 2;
    for (Index h = 0; h < heads; h++, values += head)
      for (Index plane = 0; plane < planes; plane++) {
        const float one = values[plane], two = values[planes + plane];
        values[plane] = one * cosine[plane] - two * sine[plane];
        values[planes + plane] = two * cosine[plane] + one * sine[plane];
      }
  }

  // The scores of one head as e^(score - greatest), and their sum.
  float weigh(const float* query, const float* keys, Index seen) {
    constexpr int VECTORS = SLOTS / WIDE, CHAINS = 8 / VECTORS;  // as many sums as hide an addition's latency
    const float scale = 1.0f / sqrtf((float)head);
    V most = all(-INFINITY);
    for (Index block = 0; block < above(seen, SLOTS); block++, keys += head * SLOTS) {
      V sums[CHAINS][VECTORS]{};
      const auto add = [&](int chain, Index d) {
        UNROLL for (int v = 0; v < VECTORS; v++) sums[chain][v] += load(keys + d * SLOTS + v * WIDE, WIDE) * query[d];
      };
      Index d = 0;
      for (; d + CHAINS <= head; d += CHAINS)
        UNROLL for (int chain = 0; chain < CHAINS; chain++) add(chain, d + chain);
      for (; d < head; d++) add(0, d);
      UNROLL for (int v = 0; v < VECTORS; v++) {
        UNROLL for (int chain = 1; chain < CHAINS; chain++) sums[0][v] += sums[chain][v];
        V score = sums[0][v] * scale;
        const Index first = block * SLOTS + v * WIDE;
        for (Index lane = seen - first > 0 ? seen - first : 0; lane < WIDE; lane++) score[lane] = -INFINITY;
        most = score > most ? score : most;
        store(scores + first, score, WIDE);
      }
    }
    float greatest = most[0];
    for (Index lane = 1; lane < WIDE; lane++) greatest = most[lane] > greatest ? most[lane] : greatest;
    V sum{};
    for (Index at = 0; at < above(seen, SLOTS) * SLOTS; at += WIDE) {
      const Power<float> e = power(within(load(scores + at, WIDE) - greatest, 80.0f));
      const V weight = e.fraction * e.scale + e.scale;
      sum += weight;
      store(scores + at, weight, WIDE);
    }
    return total(sum);
  }

  // The values of one head, weighed. What is read behind a head's entries is not written.
  void mix(const float* values, Index seen, float scale, float* to) {
    for (Index from = 0; from < head; from += 2 * WIDE) mix_some(values + from, seen, scale, to + from, head - from);
  }

  void mix_some(const float* values, Index seen, float scale, float* to, Index columns) {
    constexpr int CHAINS = 4, VECTORS = 2;
    V sums[CHAINS][VECTORS]{};
    const int vectors = columns > WIDE ? 2 : 1;
    const auto add = [&](int chain, Index slot) {
      const V weight = all(scores[slot]);
      sums[chain][0] += load(values + slot * width, WIDE) * weight;
      if (vectors == 2) sums[chain][1] += load(values + slot * width + WIDE, WIDE) * weight;
    };
    Index slot = 0;
    for (; slot + CHAINS <= seen; slot += CHAINS)
      UNROLL for (int chain = 0; chain < CHAINS; chain++) add(chain, slot + chain);
    for (; slot < seen; slot++) add(0, slot);
    for (int v = 0; v < vectors; v++)
      store(to + v * WIDE, (sums[0][v] + sums[1][v] + sums[2][v] + sums[3][v]) * scale, columns - v * WIDE);
  }
};

}  // namespace
