// Vectors of numbers as wide as the instruction set that this file is compiled for has them, and their functions.
//
// GCC's and Clang's vector types take + - * / < ?: and become the instructions at hand, so one source serves them all.
// Everything here is in an unnamed namespace: the same function compiled for two instruction sets must not be merged.
#pragma once

#include <stdint.h>
#include <string.h>

#include <utility>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#ifndef VECTOR_BYTES
#error "VECTOR_BYTES: how wide a vector is, given by the build"
#endif

#define INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

namespace {

typedef int64_t Index;

template <class Number> struct Types;
template <> struct Types<float> {
  typedef float Vector __attribute__((vector_size(VECTOR_BYTES)));
  typedef int32_t Bits __attribute__((vector_size(VECTOR_BYTES)));
};
template <> struct Types<double> {
  typedef double Vector __attribute__((vector_size(VECTOR_BYTES)));
  typedef int64_t Bits __attribute__((vector_size(VECTOR_BYTES)));
};

template <class Number> using Vector = typename Types<Number>::Vector;
template <class Number> using Bits = typename Types<Number>::Bits;
template <class Number> constexpr Index LANES = VECTOR_BYTES / sizeof(Number);

INLINE Index least(Index one, Index other) { return one < other ? one : other; }
INLINE Index above(Index amount, Index unit) { return (amount + unit - 1) / unit; }  // divided and rounded up

template <class Number> INLINE Vector<Number> all(Number value) { return Vector<Number>{} + value; }

// The first `count` lanes; nothing behind them is read or written, and where they are read they count as zero.
template <class Number> INLINE Vector<Number> load_some(const Number* from, Index count) {
  Vector<Number> vector{};
  memcpy(&vector, from, count * sizeof(Number));
  return vector;
}
template <class Number> INLINE void store_some(Number* to, Vector<Number> vector, Index count) {
  memcpy(to, &vector, count * sizeof(Number));
}
#ifdef __AVX512F__
INLINE Vector<float> load_some(const float* from, Index count) {
  return (Vector<float>)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
}
INLINE void store_some(float* to, Vector<float> vector, Index count) {
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)vector);
}
#endif

template <class Number> INLINE Vector<Number> load(const Number* from, Index count) {
  Vector<Number> vector{};
  if (count >= LANES<Number>) {
    memcpy(&vector, from, sizeof vector);
  } else if (count > 0) {
    vector = load_some(from, count);
  }
  return vector;
}
template <class Number> INLINE void store(Number* to, Vector<Number> vector, Index count) {
  if (count >= LANES<Number>) {
    memcpy(to, &vector, sizeof vector);
  } else if (count > 0) {
    store_some(to, vector, count);
  }
}

// Lanes of two vectors side by side, by their numbers: those of the second come behind those of the first.
#if defined(__clang__) || __GNUC__ >= 12
#define CHOSEN(one, other, ...) __builtin_shufflevector(one, other, __VA_ARGS__)
#else
#define CHOSEN(one, other, ...) __builtin_shuffle(one, other, Bits<Number>{__VA_ARGS__})
#endif

// Rows and columns of a square of lanes change places: its off-diagonal blocks of HALF, then those of twice that.
template <class Number, int HALF, size_t... LANE>
INLINE void transpose_blocks(Vector<Number>* rows, std::index_sequence<LANE...>) {
  constexpr int lanes = sizeof...(LANE);
  UNROLL for (int row = 0; row < lanes; row++) {
    if (row & HALF) continue;
    const Vector<Number> upper = rows[row], lower = rows[row + HALF];
    rows[row] = CHOSEN(upper, lower, int(LANE & HALF ? LANE + lanes - HALF : LANE)...);
    rows[row + HALF] = CHOSEN(upper, lower, int(LANE & HALF ? LANE + lanes : LANE + HALF)...);
  }
}
template <class Number, int HALF = 1> INLINE void transpose(Vector<Number> (&rows)[LANES<Number>]) {
  if constexpr (HALF < LANES<Number>) {
    transpose_blocks<Number, HALF>(rows, std::make_index_sequence<LANES<Number>>());
    transpose<Number, 2 * HALF>(rows);
  }
}

// A vector that is needed soon: its way from memory runs beside the arithmetic in between.
template <class Number> INLINE void ahead(const Number* from) { __builtin_prefetch(from); }

// e^y = (1 + fraction) * scale, with scale a power of two; |y| at most 80 (float), 700 (double). NaN stays NaN.
template <class Number> struct Power {
  Vector<Number> fraction, scale;
};

// y = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^23 rounds to a whole n, which then stands in the lowest bits.
INLINE Power<float> power(Vector<float> y) {
  const float magic = 12582912.0f;
  Vector<float> shifted = y * 1.44269504f + magic, n = shifted - magic;
  Vector<float> r = y - n * 0.693359375f + n * 2.12194440e-4f;
  Vector<float> sum = all(1.9875691500e-4f);  // minimax on |r| <= ln 2 / 2 (Moshier, Cephes, expf)
  sum = sum * r + 1.3981999507e-3f;
  sum = sum * r + 8.3334519073e-3f;
  sum = sum * r + 4.1665795894e-2f;
  sum = sum * r + 1.6666665459e-1f;
  sum = sum * r + 5.0000001201e-1f;
  Bits<float> bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 23) + 0x3f800000;
  Power<float> result{sum * (r * r) + r, {}};
  memcpy(&result.scale, &bits, sizeof bits);
  return result;
}

INLINE Power<double> power(Vector<double> y) {
  const double magic = 6755399441055744.0;  // 1.5 * 2^52
  Vector<double> shifted = y * 1.4426950408889634 + magic, n = shifted - magic;
  Vector<double> r = y - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6;
  Vector<double> sum = all(1.0 / 6227020800.0);  // Taylor to r^13, where |r| <= ln 2 / 2: below 1e-17
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  Bits<double> bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 52) + 0x3ff0000000000000;
  Power<double> result{sum * (r * r) + r, {}};
  memcpy(&result.scale, &bits, sizeof bits);
  return result;
}

// Within [-most, most]; NaN is neither below nor above, so it stays.
template <class V, class Number> INLINE V within(V value, Number most) {
  value = value > most ? V{} + most : value;
  return value < -most ? V{} - most : value;
}

INLINE float steepest(float) { return 80.0f; }
INLINE double steepest(double) { return 700.0; }

// 1 / (1 + e^-x)
template <class Number> INLINE Vector<Number> sigmoid(Vector<Number> x) {
  Power<Number> back = power(within(-x, steepest(Number())));
  return Number(1) / (Number(1) + (back.fraction * back.scale + back.scale));
}

// tanh x = u / (u + 2) with u = e^2x - 1, which keeps small x exact; beyond |x| = 20 it is 1 in both precisions.
template <class Number> INLINE Vector<Number> tanh(Vector<Number> x) {
  Power<Number> twice = power(within(x + x, Number(40)));
  Vector<Number> u = twice.fraction * twice.scale + (twice.scale - Number(1));
  return u / (u + Number(2));
}

// What comes back through a sigmoid or tanh whose value is known.
template <class V> INLINE V through_sigmoid(V gradient, V value) { return gradient * (value * (1 - value)); }
template <class V> INLINE V through_tanh(V gradient, V value) { return gradient * (1 - value * value); }

}  // namespace
