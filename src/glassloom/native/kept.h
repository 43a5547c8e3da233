// Numbers as they are kept in memory: float32, or its upper halves (bfloat16). Arithmetic is float32 either way.
#pragma once

#include "vector.h"

namespace {

typedef uint16_t Halves __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint32_t Words __attribute__((vector_size(VECTOR_BYTES)));

// The first `count` halves, fewer than a vector has; nothing behind them is read or written.
#if defined(__AVX512BW__) && defined(__AVX512VL__)
INLINE Halves load_some(const uint16_t* from, Index count) {
  return (Halves)_mm256_maskz_loadu_epi16((__mmask16)((1u << count) - 1), from);
}
INLINE void store_some(uint16_t* to, Halves halves, Index count) {
  _mm256_mask_storeu_epi16(to, (__mmask16)((1u << count) - 1), (__m256i)halves);
}
#else
INLINE Halves load_some(const uint16_t* from, Index count) {
  Halves halves{};
  memcpy(&halves, from, count * sizeof *from);
  return halves;
}
INLINE void store_some(uint16_t* to, Halves halves, Index count) { memcpy(to, &halves, count * sizeof *to); }
#endif

INLINE Vector<float> read(const float* from, Index count) { return load(from, count); }
INLINE Vector<float> read(const uint16_t* from, Index count) {
  Halves halves{};
  if (count >= LANES<float>) memcpy(&halves, from, sizeof halves);
  else if (count > 0) halves = load_some(from, count);
  Words words = __builtin_convertvector(halves, Words) << 16;
  Vector<float> vector;
  memcpy(&vector, &words, sizeof vector);
  return vector;
}

INLINE void write(float* to, Vector<float> vector, Index count) { store(to, vector, count); }
INLINE void write(uint16_t* to, Vector<float> vector, Index count) {
  Words words;
  memcpy(&words, &vector, sizeof words);
  words = vector != vector ? Words{} + 0x7fc00000 : words + 0x7fff + (words >> 16 & 1);  // nearest, ties to even
  Halves halves = __builtin_convertvector(words >> 16, Halves);
  if (count >= LANES<float>) memcpy(to, &halves, sizeof halves);
  else if (count > 0) store_some(to, halves, count);
}

// -- a vector's lanes

// The first `count` lanes, and `other` in those behind them. The lanes are numbered here: an object that is built when the
// library is loaded would run instructions that this processor may not have.
INLINE Vector<float> first_lanes(Vector<float> vector, Index count, float other) {
  if (count >= LANES<float>) return vector;
  Bits<float> lane;
  for (Index l = 0; l < LANES<float>; l++) lane[l] = l;
  return lane < Bits<float>{} + (int32_t)count ? vector : all(other);
}

// All lanes brought together by halves.
template <class Join> INLINE float together(Vector<float> vector, const Join& join) {
  float lanes[LANES<float>];
  memcpy(lanes, &vector, sizeof lanes);
  UNROLL for (Index half = LANES<float> / 2; half > 0; half /= 2)
    UNROLL for (Index lane = 0; lane < half; lane++) lanes[lane] = join(lanes[lane], lanes[lane + half]);
  return lanes[0];
}

INLINE float total(Vector<float> vector) {
  return together(vector, [](float one, float other) { return one + other; });
}

}  // namespace
