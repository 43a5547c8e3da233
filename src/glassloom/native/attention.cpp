// Causal attention of one row and head at a time, forward and backward. The equations stand in models/attention.py.
//
// Queries, keys and values come side by side as one product made them, and their gradients go out so. A thread turns
// and unfolds them once into its room; the scores of a few queries at a time are all that is ever held of the weights.
// The backward pass makes them again from the logarithm of each softmax's sum (Dao et al. 2022, section 3.1).
//
// What is kept in bfloat16 is multiplied in it, where the instruction set does that; sums and softmax are float32.
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

// -- rows as factors of a product

// What is kept in bfloat16 has its factors rounded to it where that is an instruction.
template <class Kept> struct FactorsOf { typedef Plain<float> Type; };
#ifdef __AVX512BF16__
template <> struct FactorsOf<uint16_t> { typedef Rounded Type; };
#endif

// Rows whose columns follow each other in depth: `columns` fill whole vectors, and both arrays have as many a row.
template <class Factors>
const Packed<Factors>* along(const float* from, Index rows, Index stride, Index columns, Packed<Factors>* to) {
  if constexpr (Factors::FOLD == 1) return from;
  else
    for (Index r = 0; r < rows; r++) Factors::pack_row(from + r * stride, columns, to + r * (stride / Factors::FOLD));
  return to;
}

// Rows that follow each other in depth.
template <class Factors>
const Packed<Factors>* down(const float* from, Index rows, Index stride, Index columns, Packed<Factors>* to) {
  if constexpr (Factors::FOLD == 1) return from;
  else
    for (Index r = 0; r < rows; r += Factors::FOLD, from += Factors::FOLD * stride)
      for (Index column = 0; column < columns; column += LANES<float>) {
        const Vector<float> second = r + 1 < rows ? load(from + stride + column, LANES<float>) : Vector<float>{};
        const Vector<float> both = Factors::across(load(from + column, LANES<float>), second);
        memcpy(to + r / Factors::FOLD * stride + column, &both, sizeof both);
      }
  return to;
}

// What follows each other along, down: the right factor of scores.
template <class Factors> void transpose(const Head& head, const Packed<Factors>* from, Packed<Factors>* to) {
  for (Index entry = 0; entry < folded<Factors>(head.width); entry++, to += head.padded_time) {
    for (Index place = 0; place < head.time; place++) to[place] = from[place * (head.padded_width / Factors::FOLD) + entry];
    memset(to + head.time, 0, (head.padded_time - head.time) * sizeof *to);
  }
}

// -- products

// Left factors: element (row, depth) stands at from[row * down + depth * right].
template <class Factors> struct Left {
  const Packed<Factors>* from;
  Index down, right;
};

template <class Factors, int ROWS, int VECTORS>
INLINE void tile(Left<Factors> left, const Packed<Factors>* right, Index stride, Index depths, float* to, Index to_stride,
                 bool add) {
  Vector<float> sums[ROWS][VECTORS] = {};
  for (Index k = 0; k < depths; k++, right += stride, left.from += left.right) {
    Vector<float> columns[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) memcpy(&columns[v], right + v * LANES<float>, sizeof columns[v]);
    UNROLL for (int r = 0; r < ROWS; r++)
      UNROLL for (int v = 0; v < VECTORS; v++)
        sums[r][v] = Factors::add(sums[r][v], left.from[r * left.down], columns[v]);
  }
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) {
      float* place = to + r * to_stride + v * LANES<float>;
      store(place, add ? sums[r][v] + load(place, LANES<float>) : sums[r][v], LANES<float>);
    }
}

// to (rows x columns) = or += left times right (depths x columns); columns fill whole vectors, rows at most QUERIES.
template <class Factors>
void product(Left<Factors> left, Index rows, const Packed<Factors>* right, Index stride, Index depths, Index columns,
             float* to, Index to_stride, bool add) {
  with_known<QUERIES>(rows, [&](auto count) {
    constexpr int ROWS = decltype(count)::value;
    for (Index column = 0; column < columns; column += PANEL)
      if (columns - column > LANES<float>)
        tile<Factors, ROWS, PAIR>(left, right + column, stride, folded<Factors>(depths), to + column, to_stride, add);
      else tile<Factors, ROWS, 1>(left, right + column, stride, folded<Factors>(depths), to + column, to_stride, add);
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

// A thread's room, from which arrays are taken one after the other; all numbers of it are four bytes.
struct Room {
  float* at;

  INLINE float* take(Index numbers) {
    float* taken = at;
    at += numbers;
    return taken;
  }
  template <class Factors> INLINE Packed<Factors>* packed(Index numbers) {
    return (Packed<Factors>*)take(Factors::FOLD == 1 ? 0 : above(numbers, Factors::FOLD));
  }
};

INLINE Index attention_numbers(const AttentionJob& job) {
  const Head head(job);
  const Index rows = head.rows() + head.padded_width, lines = QUERIES * head.padded_time;  // an odd row has a pair, too
  return 10 * rows + 2 * head.columns() + 4 * lines + QUERIES * head.padded_width;
}

template <class Kept> void attend_forward(const AttentionJob& job, Index item, float* all_room) {
  typedef typename FactorsOf<Kept>::Type Factors;
  const Attending<Kept> a(job, item);
  const Head& head = a.head;
  const Index wide = head.padded_width, long_ = head.padded_time, room_of_rows = head.rows() + wide;
  Room room{all_room};
  float *queries = room.take(head.rows()), *keys = room.take(head.rows()), *values = room.take(head.rows());
  float *scores = room.take(QUERIES * long_), *out = room.take(QUERIES * wide);
  Packed<Factors>* across = (Packed<Factors>*)room.take(head.columns());
  auto* line_room = room.packed<Factors>(QUERIES * long_);
  unfold(head, a.template part<const Kept*>(job.projected, 0), 3 * a.entries, a.scale(), a.turned(), queries);
  unfold(head, a.template part<const Kept*>(job.projected, 1), 3 * a.entries, 1, a.turned(), keys);
  unfold(head, a.template part<const Kept*>(job.projected, 2), 3 * a.entries, 1, false, values);
  const auto* from = along<Factors>(queries, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  transpose<Factors>(head, along<Factors>(keys, head.time, wide, wide, room.packed<Factors>(room_of_rows)), across);
  const auto* contents = down<Factors>(values, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  if (job.keys) fold(head, keys, 0, head.time, (Kept*)job.keys + item * head.time * head.width, head.width, false);
  for (Index first = 0; first < head.time; first += QUERIES) {
    const Index rows = least(QUERIES, head.time - first), end = first + rows;
    const Index columns = above(end, PANEL) * PANEL, step = wide / Factors::FOLD;
    product(Left<Factors>{from + first * step, step, 1}, rows, across, long_, head.width, columns, scores, long_, false);
    for (Index r = 0; r < rows; r++) {
      float* line = scores + r * long_;
      const float most = largest(line, first + r + 1), sum = exponentials(line, first + r + 1, columns, most);
      a.sums()[2 * (first + r)] = most;
      a.sums()[2 * (first + r) + 1] = 1 / sum;
    }
    const auto* lines = along<Factors>(scores, rows, long_, columns, line_room);
    product(Left<Factors>{lines, long_ / Factors::FOLD, 1}, rows, contents, wide, end, wide, out, wide, false);
    for (Index r = 0; r < rows; r++)
      for (Index entry = 0; entry < wide; entry += LANES<float>) {
        float* place = out + r * wide + entry;
        store(place, load(place, LANES<float>) * a.sums()[2 * (first + r) + 1], LANES<float>);
      }
    fold(head, out, first, rows, a.template mixed<Kept*>(job.mixed), a.entries, false);
  }
}

// The weights of a query and the gradients of its scores, from the scores (`line`) and the weights' gradients (`slope`).
INLINE void softmax_slopes(float* line, float* slope, Index seen, Index columns, const float* sums) {
  exponentials(line, seen, columns, sums[0]);
  Vector<float> shared{};
  for (Index key = 0; key < columns; key += LANES<float>) {
    const Vector<float> weight = load(line + key, LANES<float>) * sums[1];
    store(line + key, weight, LANES<float>);
    shared += weight * load(slope + key, LANES<float>);
  }
  const float mean = total(shared);
  for (Index key = 0; key < columns; key += LANES<float>)
    store(slope + key, load(line + key, LANES<float>) * (load(slope + key, LANES<float>) - mean), LANES<float>);
}

// With P the weights, S the scores and s the scale, from the gradient dO of what was mixed:
//   dV = P^T dO, dP = dO V^T, dS = P (dP - row sum of P dP), dQ = s dS K, dK = dS^T (s Q)
template <class Kept> void attend_backward(const AttentionJob& job, Index item, float* all_room) {
  typedef typename FactorsOf<Kept>::Type Factors;
  const Attending<Kept> a(job, item);
  const Head& head = a.head;
  const Index wide = head.padded_width, long_ = head.padded_time, room_of_rows = head.rows() + wide;
  Room room{all_room};
  float *queries = room.take(head.rows()), *keys = room.take(head.rows()), *values = room.take(head.rows());
  float *incoming = room.take(head.rows()), *from_keys = room.take(head.rows()), *from_values = room.take(head.rows());
  float *weights = room.take(QUERIES * long_), *slopes = room.take(QUERIES * long_), *out = room.take(QUERIES * wide);
  Packed<Factors>* keys_across = (Packed<Factors>*)room.take(head.columns());
  Packed<Factors>* values_across = (Packed<Factors>*)room.take(head.columns());
  unfold(head, a.template part<const Kept*>(job.projected, 0), 3 * a.entries, a.scale(), a.turned(), queries);
  unfold(head, a.template part<const Kept*>(job.projected, 1), 3 * a.entries, 1, a.turned(), keys);
  unfold(head, a.template part<const Kept*>(job.projected, 2), 3 * a.entries, 1, false, values);
  unfold(head, a.template mixed<const Kept*>(job.mixed), a.entries, 1, false, incoming);
  auto* room_of_lines = room.packed<Factors>(room_of_rows);
  transpose<Factors>(head, along<Factors>(keys, head.time, wide, wide, room_of_lines), keys_across);
  transpose<Factors>(head, along<Factors>(values, head.time, wide, wide, room_of_lines), values_across);
  const auto* queries_along = along<Factors>(queries, head.time, wide, wide, room_of_lines);
  const auto* incoming_along = along<Factors>(incoming, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  const auto* queries_down = down<Factors>(queries, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  const auto* incoming_down = down<Factors>(incoming, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  const auto* keys_down = down<Factors>(keys, head.time, wide, wide, room.packed<Factors>(room_of_rows));
  auto *line_room = room.packed<Factors>(QUERIES * long_), *weight_room = room.packed<Factors>(QUERIES * long_);
  memset(from_keys, 0, 2 * head.rows() * sizeof(float));
  Kept* to_queries = a.template part<Kept*>(job.from_projected, 0);
  for (Index first = 0; first < head.time; first += QUERIES) {
    const Index rows = least(QUERIES, head.time - first), end = first + rows, step = wide / Factors::FOLD;
    const Index columns = above(end, PANEL) * PANEL;
    product(Left<Factors>{queries_along + first * step, step, 1}, rows, keys_across, long_, head.width, columns, weights,
            long_, false);
    product(Left<Factors>{incoming_along + first * step, step, 1}, rows, values_across, long_, head.width, columns,
            slopes, long_, false);
    for (Index r = 0; r < rows; r++)
      softmax_slopes(weights + r * long_, slopes + r * long_, first + r + 1, columns, a.sums() + 2 * (first + r));
    const auto* lines = along<Factors>(slopes, rows, long_, columns, line_room);
    product(Left<Factors>{lines, long_ / Factors::FOLD, 1}, rows, keys_down, wide, end, wide, out, wide, false);
    for (Index number = 0; number < rows * wide; number += LANES<float>)
      store(out + number, load(out + number, LANES<float>) * a.scale(), LANES<float>);
    fold(head, out, first, rows, to_queries, 3 * a.entries, a.turned());
    const auto* slopes_down = down<Factors>(slopes, rows, long_, columns, line_room);
    const auto* weights_down = down<Factors>(weights, rows, long_, columns, weight_room);
    const Index before = first / Factors::FOLD * wide;  // QUERIES is even, so a block begins with a whole pair
    for (Index key = 0; key < end; key += QUERIES) {
      const Index count = least(QUERIES, end - key);
      product(Left<Factors>{slopes_down + key, 1, long_}, count, queries_down + before, wide, rows, wide,
              from_keys + key * wide, wide, true);
      product(Left<Factors>{weights_down + key, 1, long_}, count, incoming_down + before, wide, rows, wide,
              from_values + key * wide, wide, true);
    }
  }
  fold(head, from_keys, 0, head.time, a.template part<Kept*>(job.from_projected, 1), 3 * a.entries, a.turned());
  fold(head, from_values, 0, head.time, a.template part<Kept*>(job.from_projected, 2), 3 * a.entries, false);
}

static_assert(QUERIES % 2 == 0, "a block of queries is whole pairs");

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
