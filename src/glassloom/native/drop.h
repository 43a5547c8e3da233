// Dropout without a mask in memory: whether an entry stays follows from its place and a seed (kernels/dropout.py).
#pragma once

#include "job.h"
#include "vector.h"

namespace {

// A permutation of the 32-bit numbers with little bias (C. Wellons, "hash prospector", lowbias32), seeded twice; of one
// place or of a vector of them.
template <class Words> INLINE Words scattered(Words place, uint32_t one, uint32_t two) {
  Words x = place + one;
  x = ((x ^ (x >> 16)) * 0x7feb352du) ^ two;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

// Some entries from a place on: to = from * scale where they stay, else zero.
INLINE void drop_some(const Drop& job, uint32_t place, const float* from, float* to, Index count) {
  typedef uint32_t Words __attribute__((vector_size(VECTOR_BYTES)));
  const uint32_t one = (uint32_t)job.seed, two = (uint32_t)((uint64_t)job.seed >> 32);
  const float scale = (float)job.scale;
  Words places;
  for (Index lane = 0; lane < LANES<float>; lane++) places[lane] = place + (uint32_t)lane;
  for (Index i = 0; i < count; i += LANES<float>) {
    const auto stays = scattered(places, one, two) >= (uint32_t)job.threshold;
    store(to + i, stays ? load(from + i, count - i) * scale : Vector<float>{}, count - i);
    places += (uint32_t)LANES<float>;
  }
}
INLINE void drop_some(const Drop& job, uint32_t place, const double* from, double* to, Index count) {
  const uint32_t one = (uint32_t)job.seed, two = (uint32_t)((uint64_t)job.seed >> 32);
  for (Index i = 0; i < count; i++)
    to[i] = scattered(place + (uint32_t)i, one, two) >= (uint32_t)job.threshold ? from[i] * job.scale : 0;
}

// Entries first..last; their places begin anew every `period` entries.
template <class Number> void drop_entries(const Drop& job, Index first, Index last) {
  for (Index begin = first; begin < last;) {
    const Index place = begin % job.period, count = least(last - begin, job.period - place);
    drop_some(job, (uint32_t)place, (const Number*)job.from + begin, (Number*)job.to + begin, count);
    begin += count;
  }
}

}  // namespace
