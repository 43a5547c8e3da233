// Causal attention of one row and head at a time, forward and backward. The equations stand in models/attention.py.
//
// Queries, keys and values come side by side as one product made them, and their gradients go out so. A thread turns
// and unfolds them once into its room; the scores of a few queries at a time are all that is ever held of the weights.
// The backward pass makes them again from the logarithm of each softmax's sum (Dao et al. 2022, section 3.1).
#include "job.h"
#include "kept.h"
#include "product.h"

namespace {

constexpr int PAIR = 2;                        // vectors in a tile
constexpr int QUERIES = tile_rows(PAIR);       // queries whose scores are held at once
constexpr Index PANEL = PAIR * LANES<float>;   // columns of a tile

// -- one row's head, unfolded into float32

struct Head {
  Index time, width, padded_time, padded_width;  // padded with zeros, so that tiles need no edges
  const float *cosines, *sines;                  // time x width/2, or null

  explicit Head(const AttentionJob& job)
      : time(job.time), width(job.width), padded_time(above(job.time, PANEL) * PANEL),
        padded_width(above(job.width, LANES<float>) * LANES<float>),
        cosines((const float*)job.cosines), sines((const float*)job.sines) {}
  INLINE Index rows() const { return time * padded_width; }
  INLINE Index columns() const { return width * padded_time; }
};

// visit(lane offset, lanes, first, second) for each plane's two entries, with the cosines and sines of that place.
template <class Visit> INLINE void for_planes(const Head& head, Index place, const Visit& visit) {
  const Index half = head.width / 2;
  for (Index plane = 0; plane < half; plane += LANES<float>)
    visit(plane, half - plane, load(head.cosines + place * half + plane, half - plane),
          load(head.sines + place * half + plane, half - plane));
}

// Entries of every token (`stride` apart) as rows, times a factor, turned where there are angles.
template <class Kept>
void unfold(const Head& head, const Kept* from, Index stride, float factor, bool turned, float* to) {
  for (Index place = 0; place < head.time; place++, from += stride, to += head.padded_width) {
    for (Index entry = 0; entry < head.padded_width; entry += LANES<float>)
      store(to + entry, read(from + entry, head.width > entry ? head.width - entry : 0) * factor, LANES<float>);
    if (!turned) continue;
    const Index half = head.width / 2;
    for_planes(head, place, [&](Index plane, Index count, Vector<float> cosine, Vector<float> sine) {
      const Vector<float> first = load(to + plane, count), second = load(to + half + plane, count);
      store(to + plane, first * cosine - second * sine, count);
      store(to + half + plane, second * cosine + first * sine, count);
    });
  }
}

// Rows as entries of every token; gradients are turned back.
template <class Kept>
void fold(const Head& head, float* from, Index first, Index count, Kept* to, Index stride, bool turned) {
  for (Index place = first; place < first + count; place++, from += head.padded_width) {
    if (turned) {
      const Index half = head.width / 2;
      for_planes(head, place, [&](Index plane, Index lanes, Vector<float> cosine, Vector<float> sine) {
        const Vector<float> one = load(from + plane, lanes), two = load(from + half + plane, lanes);
        store(from + plane, one * cosine + two * sine, lanes);
        store(from + half + plane, two * cosine - one * sine, lanes);
      });
    }
    for (Index entry = 0; entry < head.width; entry += LANES<float>)
      write(to + place * stride + entry, load(from + entry, LANES<float>), head.width - entry);
  }
}

void transpose(const Head& head, const float* from, float* to) {
  for (Index entry = 0; entry < head.width; entry++, to += head.padded_time) {
    for (Index place = 0; place < head.time; place++) to[place] = from[place * head.padded_width + entry];
    memset(to + head.time, 0, (head.padded_time - head.time) * sizeof *to);
  }
}

// -- products

// Left factors: element (row, depth) stands at from[row * down + depth * right].
struct Left {
  const float* from;
  Index down, right;
};

template <int ROWS, int VECTORS>
INLINE void tile(Left left, const float* right, Index stride, Index depths, float* to, Index to_stride, bool add) {
  Vector<float> sums[ROWS][VECTORS] = {};
  for (Index k = 0; k < depths; k++, right += stride, left.from += left.right) {
    Vector<float> columns[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) memcpy(&columns[v], right + v * LANES<float>, sizeof columns[v]);
    UNROLL for (int r = 0; r < ROWS; r++)
      UNROLL for (int v = 0; v < VECTORS; v++) sums[r][v] += columns[v] * left.from[r * left.down];
  }
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) {
      float* place = to + r * to_stride + v * LANES<float>;
      store(place, add ? sums[r][v] + load(place, LANES<float>) : sums[r][v], LANES<float>);
    }
}

// to (rows x columns) = or += left times right (depths x columns); columns fill whole vectors, rows at most QUERIES.
void product(Left left, Index rows, const float* right, Index stride, Index depths, Index columns, float* to,
             Index to_stride, bool add) {
  with_known<QUERIES>(rows, [&](auto count) {
    constexpr int ROWS = decltype(count)::value;
    for (Index column = 0; column < columns; column += PANEL)
      if (columns - column > LANES<float>)
        tile<ROWS, PAIR>(left, right + column, stride, depths, to + column, to_stride, add);
      else tile<ROWS, 1>(left, right + column, stride, depths, to + column, to_stride, add);
  });
}

// e^(score - shift) for the first `seen` scores, 0 for the others up to `columns`; their sum.
INLINE float exponentials(float* scores, Index seen, Index columns, float shift) {
  Vector<float> sum{};
  for (Index key = 0; key < columns; key += LANES<float>) {
    const Power<float> raised = power(within(load(scores + key, LANES<float>) - shift, 80.0f));
    Vector<float> value = raised.fraction * raised.scale + raised.scale;
    value = first_lanes(value, seen - key, 0);
    sum += value;
    store(scores + key, value, LANES<float>);
  }
  return total(sum);
}

// Of the first `seen` scores. What is no number is passed over here, and comes through the exponentials.
INLINE float largest(const float* scores, Index seen) {
  const float lowest = -__builtin_inff();
  Vector<float> most = all(lowest);
  for (Index key = 0; key < seen; key += LANES<float>) {
    const Vector<float> next = first_lanes(load(scores + key, LANES<float>), seen - key, lowest);
    most = next > most ? next : most;
  }
  return together(most, [](float one, float other) { return one > other ? one : other; });
}

// -- a job's arrays

template <class Kept> struct Attending {
  const AttentionJob& job;
  const Head head;
  const Index item, row, heads, entries;

  Attending(const AttentionJob& job, Index item)
      : job(job), head(job), item(item), row(item / job.heads), heads(job.heads), entries(job.heads * job.width) {}
  // queries (0), keys (1) or values (2) of this item's first token, in an array of all three
  template <class Pointer> INLINE Pointer part(const void* array, Index which) const {
    return (Pointer)array + row * head.time * 3 * entries + which * entries + item % heads * head.width;
  }
  template <class Pointer> INLINE Pointer mixed(const void* array) const {
    return (Pointer)array + row * head.time * entries + item % heads * head.width;
  }
  INLINE float scale() const { return (float)job.scale; }
  // of each query the largest score, and 1 / the sum of the exponentials
  INLINE float* sums() const { return (float*)job.sums + item * head.time * 2; }
  INLINE bool turned() const { return job.cosines != nullptr; }
};

INLINE Index attention_numbers(const AttentionJob& job) {
  const Head head(job);
  return 8 * head.rows() + 2 * head.columns() + 2 * QUERIES * head.padded_time + QUERIES * head.padded_width;
}

template <class Kept> void attend_forward(const AttentionJob& job, Index item, float* room) {
  const Attending<Kept> a(job, item);
  const Head& head = a.head;
  float *queries = room, *keys = queries + head.rows(), *values = keys + head.rows(), *across = values + head.rows();
  float *scores = across + head.columns(), *out = scores + QUERIES * head.padded_time;
  unfold(head, a.template part<const Kept*>(job.projected, 0), 3 * a.entries, a.scale(), a.turned(), queries);
  unfold(head, a.template part<const Kept*>(job.projected, 1), 3 * a.entries, 1, a.turned(), keys);
  unfold(head, a.template part<const Kept*>(job.projected, 2), 3 * a.entries, 1, false, values);
  transpose(head, keys, across);
  if (job.keys) fold(head, keys, 0, head.time, (Kept*)job.keys + item * head.time * head.width, head.width, false);
  const Blocks blocks(0, head.time, QUERIES);
  for (Index block = 0; block < blocks.count; block++) {
    const Index first = blocks.begin(block), rows = blocks.size(block), end = first + rows;
    const Index columns = above(end, PANEL) * PANEL;
    product(Left{queries + first * head.padded_width, head.padded_width, 1}, rows, across, head.padded_time, head.width,
            columns, scores, head.padded_time, false);
    for (Index r = 0; r < rows; r++) {
      float* line = scores + r * head.padded_time;
      const float most = largest(line, first + r + 1), sum = exponentials(line, first + r + 1, columns, most);
      a.sums()[2 * (first + r)] = most;
      a.sums()[2 * (first + r) + 1] = 1 / sum;
    }
    product(Left{scores, head.padded_time, 1}, rows, values, head.padded_width, end, head.padded_width, out,
            head.padded_width, false);
    for (Index r = 0; r < rows; r++)
      for (Index entry = 0; entry < head.padded_width; entry += LANES<float>) {
        float* place = out + r * head.padded_width + entry;
        store(place, load(place, LANES<float>) * a.sums()[2 * (first + r) + 1], LANES<float>);
      }
    fold(head, out, first, rows, a.template mixed<Kept*>(job.mixed), a.entries, false);
  }
}

// With P the weights, S the scores and s the scale, from the gradient dO of what was mixed:
//   dV = P^T dO, dP = dO V^T, dS = P (dP - row sum of P dP), dQ = s dS K, dK = dS^T (s Q)
template <class Kept> void attend_backward(const AttentionJob& job, Index item, float* room) {
  const Attending<Kept> a(job, item);
  const Head& head = a.head;
  float *queries = room, *keys = queries + head.rows(), *values = keys + head.rows(), *incoming = values + head.rows();
  float *from_keys = incoming + head.rows(), *from_values = from_keys + head.rows(), *room_for_rows = from_values + head.rows();
  float *keys_across = room_for_rows, *values_across = keys_across + head.columns();
  float *weights = values_across + head.columns(), *slopes = weights + QUERIES * head.padded_time;
  float* out = slopes + QUERIES * head.padded_time;
  unfold(head, a.template part<const Kept*>(job.projected, 0), 3 * a.entries, a.scale(), a.turned(), queries);
  unfold(head, a.template part<const Kept*>(job.projected, 1), 3 * a.entries, 1, a.turned(), keys);
  unfold(head, a.template part<const Kept*>(job.projected, 2), 3 * a.entries, 1, false, values);
  unfold(head, a.template mixed<const Kept*>(job.mixed), a.entries, 1, false, incoming);
  transpose(head, keys, keys_across);
  transpose(head, values, values_across);
  memset(from_keys, 0, 2 * head.rows() * sizeof(float));
  Kept* to_queries = a.template part<Kept*>(job.from_projected, 0);
  const Blocks blocks(0, head.time, QUERIES);
  for (Index block = 0; block < blocks.count; block++) {
    const Index first = blocks.begin(block), rows = blocks.size(block), end = first + rows;
    const Index columns = above(end, PANEL) * PANEL;
    const Index down = head.padded_time, wide = head.padded_width;
    product(Left{queries + first * wide, wide, 1}, rows, keys_across, down, head.width, columns, weights, down, false);
    product(Left{incoming + first * wide, wide, 1}, rows, values_across, down, head.width, columns, slopes, down, false);
    for (Index r = 0; r < rows; r++) {
      float *line = weights + r * down, *slope = slopes + r * down;
      exponentials(line, first + r + 1, columns, a.sums()[2 * (first + r)]);
      Vector<float> shared{};
      for (Index key = 0; key < columns; key += LANES<float>) {
        const Vector<float> weight = load(line + key, LANES<float>) * a.sums()[2 * (first + r) + 1];
        store(line + key, weight, LANES<float>);
        shared += weight * load(slope + key, LANES<float>);
      }
      const float mean = total(shared);
      for (Index key = 0; key < columns; key += LANES<float>)
        store(slope + key, load(line + key, LANES<float>) * (load(slope + key, LANES<float>) - mean), LANES<float>);
    }
    product(Left{slopes, down, 1}, rows, keys, wide, end, wide, out, wide, false);
    for (Index number = 0; number < rows * wide; number += LANES<float>)
      store(out + number, load(out + number, LANES<float>) * a.scale(), LANES<float>);
    fold(head, out, first, rows, to_queries, 3 * a.entries, a.turned());
    for (Index key = 0; key < end; key += QUERIES) {
      const Index count = least(QUERIES, end - key);
      product(Left{slopes + key, 1, down}, count, queries + first * wide, wide, rows, wide, from_keys + key * wide, wide, true);
      product(Left{weights + key, 1, down}, count, incoming + first * wide, wide, rows, wide, from_values + key * wide, wide, true);
    }
  }
  fold(head, from_keys, 0, head.time, a.template part<Kept*>(job.from_projected, 1), 3 * a.entries, a.turned());
  fold(head, from_values, 0, head.time, a.template part<Kept*>(job.from_projected, 2), 3 * a.entries, false);
}

int64_t room_bytes(const AttentionJob* job) { return attention_numbers(*job) * (Index)sizeof(float); }

void run(const AttentionJob* job, int direction, int64_t item, void* room) {
  const bool halves = job->precision == BFLOAT16;
  if (direction == FORWARD) (halves ? attend_forward<uint16_t> : attend_forward<float>)(*job, item, (float*)room);
  else (halves ? attend_backward<uint16_t> : attend_backward<float>)(*job, item, (float*)room);
}

}  // namespace

#define JOIN(one, two) one##two
#define NAMED(one, two) JOIN(one, two)

extern "C" const AttentionKernels NAMED(glassloom_attention_, SET) = {room_bytes, run};
