// Products of a few rows with a weight that is packed once and met at every step.
//
// A panel holds some vectors of the weight's columns, one depth after the other, so that the inner loop reads straight
// through it. A block of rows is packed likewise. The sums of a tile (block x panel) stay in registers.
#pragma once

#include <stdlib.h>

#include "job.h"
#include "kept.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

// So many rows make a tile: the sums, a panel's vectors at one depth and a broadcast element fill the registers.
constexpr int tile_rows(int vectors) {
  const int rows = (REGISTERS - vectors - 1) / vectors;
  return rows < 1 ? 1 : rows > 12 ? 12 : rows;
}

// Factors as they are.
template <class Real> struct Plain {
  typedef Real Number;
  typedef Real Packed;
  static constexpr Index FOLD = 1;  // so many depths are one packed element

  // A vector of packed elements: `count` numbers one after another; or of two depths, in many columns.
  static INLINE Vector<Number> along(const Number* from, Index count) { return load(from, count); }
  static INLINE Vector<Number> across(Vector<Number> one, Vector<Number>) { return one; }
  static INLINE const Packed* pack_row(const Number* row, Index, Packed*) { return row; }
  static INLINE Vector<Number> add(Vector<Number> sum, Packed left, Vector<Number> right) { return sum + right * left; }
};

#ifdef __AVX512BF16__
// Factors rounded to bfloat16, two depths an element; the dot-product instruction sums in float32.
struct Rounded {
  typedef float Number;
  typedef uint32_t Packed;
  static constexpr Index FOLD = 2;

  static INLINE __m256bh half(Vector<float> numbers) { return _mm512_cvtneps_pbh((__m512)numbers); }
  static INLINE Vector<float> along(const float* from, Index count) {
    const __m256bh halves[2] = {half(load(from, count)), half(load(from + 16, count - 16))};
    Vector<float> packed;
    memcpy(&packed, halves, sizeof packed);
    return packed;
  }
  static INLINE Vector<float> across(Vector<float> one, Vector<float> two) {
    const Words low = __builtin_convertvector((Halves)half(one), Words);
    return (Vector<float>)(low | __builtin_convertvector((Halves)half(two), Words) << 16);
  }
  static INLINE const Packed* pack_row(const float* row, Index depth, Packed* room) {
    for (Index k = 0; k < depth; k += 16) {
      const __m256bh sixteen = half(load(row + k, depth - k));
      memcpy(room + k / 2, &sixteen, sizeof sixteen);
    }
    return room;
  }
  static INLINE Vector<float> add(Vector<float> sum, Packed left, Vector<float> right) {
    return (Vector<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)left), (__m512bh)right);
  }
};
#endif

template <class Factors> using Number = typename Factors::Number;
template <class Factors> using Packed = typename Factors::Packed;
template <class Factors> constexpr Index folded(Index depth) { return above(depth, Factors::FOLD); }

// A number that is known at compile time, handed on as a value.
template <int VALUE> struct Known {
  static constexpr int value = VALUE;
};

// work(Known<count>()) for a count of 1 to MOST that is known at run time only.
template <int MOST, class Work> INLINE void with_known(Index count, const Work& work) {
  if constexpr (MOST == 1) {
    work(Known<1>());
  } else if (count == MOST) {
    work(Known<MOST>());
  } else {
    with_known<MOST - 1>(count, work);
  }
}

// Rows first..last in blocks of at most `most`, as even as can be.
struct Blocks {
  Index first, rows, count;

  Blocks(Index first, Index last, Index most) : first(first), rows(last - first), count(above(last - first, most)) {}
  INLINE Index begin(Index block) const { return first + rows * block / count; }
  INLINE Index size(Index block) const { return begin(block + 1) - begin(block); }
};

// -- packing

// A weight of depth x columns, of which element (k, n) stands at from[k * down + n * right]; `down` or `right` is 1.
template <class Real> struct Weight {
  const Real* from;
  Index down, right, depth;
};

// Which columns a vector of a panel holds: `count` of them, from `column` on; its other lanes are zero.
struct Columns {
  Index column, count;
};

// Where a column's depths follow each other: squares of lanes are read by columns and written by depths.
template <class Factors, int VECTORS, class Which>
void pack_columns(const Weight<Number<Factors>>& weight, const Which& which, Packed<Factors>* to) {
  constexpr Index lanes = LANES<Number<Factors>>, depths = lanes * Factors::FOLD;
  for (Index k = 0; k < weight.depth; k += depths) {
    const Index left = weight.depth - k, there = least(lanes, folded<Factors>(left));
    for (int v = 0; v < VECTORS; v++) {
      const Columns columns = which(v);
      Vector<Number<Factors>> square[lanes];
      UNROLL for (Index lane = 0; lane < lanes; lane++) {
        const Number<Factors>* from = weight.from + (columns.column + lane) * weight.right + k;
        square[lane] = lane < columns.count ? Factors::along(from, left) : Vector<Number<Factors>>{};
      }
      transpose<Number<Factors>>(square);
      UNROLL for (Index i = 0; i < lanes; i++)
        if (i < there) memcpy(to + (i * VECTORS + v) * lanes, &square[i], sizeof square[i]);
    }
    to += there * VECTORS * lanes;
  }
}

// Where a depth's columns follow each other.
template <class Factors, int VECTORS, class Which>
void pack_depths(const Weight<Number<Factors>>& weight, const Which& which, Packed<Factors>* to) {
  constexpr Index lanes = LANES<Number<Factors>>;
  for (Index k = 0; k < weight.depth; k += Factors::FOLD)
    for (int v = 0; v < VECTORS; v++) {
      const Columns columns = which(v);
      const Number<Factors>* from = weight.from + k * weight.down + columns.column;
      const bool second = Factors::FOLD > 1 && k + 1 < weight.depth;
      const Vector<Number<Factors>> one = load(from, columns.count);
      const Vector<Number<Factors>> two = second ? load(from + weight.down, columns.count) : Vector<Number<Factors>>{};
      const Vector<Number<Factors>> packed = Factors::across(one, two);
      memcpy(to, &packed, sizeof packed);
      to += lanes;
    }
}

template <class Factors, int VECTORS, class Which>
void pack_panel(const Weight<Number<Factors>>& weight, const Which& which, Packed<Factors>* to) {
  if (weight.right == 1) pack_depths<Factors, VECTORS>(weight, which, to);
  else pack_columns<Factors, VECTORS>(weight, which, to);
}

// Every block of rows packed: depth by depth the elements of all its rows. `row_room` holds MOST packed rows.
template <class Factors, int MOST>
void pack_rows(const Number<Factors>* from, Index stride, Index depth, const Blocks& blocks, Packed<Factors>* to) {
  const Index depths = folded<Factors>(depth), padded = above(depth, 16) * 16;
  Packed<Factors>* row_room = to + blocks.rows * depths;
  for (Index block = 0; block < blocks.count; block++) {
    with_known<MOST>(blocks.size(block), [&](auto size) {
      constexpr int ROWS = decltype(size)::value;
      const Packed<Factors>* rows[ROWS];
      for (int r = 0; r < ROWS; r++)
        rows[r] = Factors::pack_row(from + (blocks.begin(block) + r) * stride, depth, row_room + r * padded);
      for (Index k = 0; k < depths; k++)
        for (int r = 0; r < ROWS; r++) *to++ = rows[r][k];
    });
  }
}

template <class Factors, int MOST> Index room_for_rows(Index depth, Index rows) {
  return rows * folded<Factors>(depth) + (Factors::FOLD > 1 ? MOST * above(depth, 16) * 16 : 0);
}

// -- multiplying

// products[r][v] = packed row r times vector v of a panel. The sums are the loop's own, so that they stay in registers.
template <class Factors, int ROWS, int VECTORS>
INLINE void multiply(Index depths, const Packed<Factors>* rows, const Packed<Factors>* panel,
                     Vector<Number<Factors>> (&products)[ROWS][VECTORS]) {
  constexpr Index lanes = LANES<Number<Factors>>;
  Vector<Number<Factors>> sums[ROWS][VECTORS] = {};
  for (Index k = 0; k < depths; k++) {
    Vector<Number<Factors>> columns[VECTORS];
    UNROLL for (int v = 0; v < VECTORS; v++) memcpy(&columns[v], panel + v * lanes, sizeof columns[v]);
    UNROLL for (int r = 0; r < ROWS; r++) {
      const Packed<Factors> element = rows[r];
      UNROLL for (int v = 0; v < VECTORS; v++) sums[r][v] = Factors::add(sums[r][v], element, columns[v]);
    }
    rows += ROWS;
    panel += VECTORS * lanes;
  }
  UNROLL for (int r = 0; r < ROWS; r++)
    UNROLL for (int v = 0; v < VECTORS; v++) products[r][v] = sums[r][v];
}

// tile(Known<rows>(), first row, panel's number, packed rows, packed panel) for every panel and block of rows.
template <class Factors, int VECTORS, class Tile>
INLINE void for_tiles(Index panels, Index depth, const Packed<Factors>* rows, const Packed<Factors>* weight,
                      const Blocks& blocks, const Tile& tile) {
  const Index depths = folded<Factors>(depth);
  for (Index panel = 0; panel < panels; panel++) {
    const Packed<Factors>* left = rows;
    for (Index block = 0; block < blocks.count; block++) {
      with_known<tile_rows(VECTORS)>(blocks.size(block),
                                     [&](auto size) { tile(size, blocks.begin(block), panel, left, weight); });
      left += depths * blocks.size(block);
    }
    weight += depths * VECTORS * LANES<Number<Factors>>;
  }
}

// -- a whole product with a packed weight

constexpr int WIDE = REGISTERS / 8;  // vectors in a panel: 4 with 32 registers, 2 with 16
constexpr Index DEPTH = 512;         // a panel of so many depths stays in the cache while all rows pass by

template <class Factors> Index wide_panels(Index columns) { return above(columns, WIDE * LANES<Number<Factors>>); }
template <class Factors> Index wide_panel(Index depth) { return folded<Factors>(depth) * WIDE * LANES<Number<Factors>>; }

template <class Factors> Index packed_size(Index depth, Index columns) {
  Index size = 0;
  for (Index start = 0; start < depth; start += DEPTH)
    size += wide_panels<Factors>(columns) * wide_panel<Factors>(least(DEPTH, depth - start));
  return size;
}

// The weight in stretches of DEPTH, each in panels; part `part` of `parts` of that work.
template <class Factors>
void pack_weight(const Weight<Number<Factors>>& weight, Index columns, Packed<Factors>* to, Index part, Index parts) {
  constexpr Index lanes = LANES<Number<Factors>>;
  const Index panels = wide_panels<Factors>(columns);
  for (Index start = 0; start < weight.depth; start += DEPTH) {
    const Weight<Number<Factors>> stretch{weight.from + start * weight.down, weight.down, weight.right,
                                          least(DEPTH, weight.depth - start)};
    for (Index panel = panels * part / parts; panel < panels * (part + 1) / parts; panel++)
      pack_panel<Factors, WIDE>(stretch, [&](int v) {
        const Index column = (panel * WIDE + v) * lanes;
        return Columns{column, columns - column};
      }, to + panel * wide_panel<Factors>(stretch.depth));
    to += panels * wide_panel<Factors>(stretch.depth);
  }
}

// The same, of a weight that lies row by row.
template <class Factors>
void pack_weight(const Number<Factors>* from, Index depth, Index columns, Packed<Factors>* to, Index part, Index parts) {
  pack_weight<Factors>(Weight<Number<Factors>>{from, columns, 1, depth}, columns, to, part, parts);
}

// to (rows x columns) = or += from (rows x depth) times a packed weight, for the rows of the blocks, plus a bias if any.
template <class Factors>
void times(const Number<Factors>* from, Index stride, Index depth, const Packed<Factors>* weight, Index columns,
           Number<Factors>* to, const Blocks& blocks, Packed<Factors>* room, bool add,
           const Number<Factors>* bias = nullptr) {
  constexpr Index lanes = LANES<Number<Factors>>;
  for (Index start = 0; start < depth; start += DEPTH) {
    const Index length = least(DEPTH, depth - start);
    pack_rows<Factors, tile_rows(WIDE)>(from + start, stride, length, blocks, room);
    for_tiles<Factors, WIDE>(wide_panels<Factors>(columns), length, room, weight, blocks,
                             [&](auto size, Index row, Index panel, const auto* left, const auto* right) {
      constexpr int ROWS = decltype(size)::value;
      Vector<Number<Factors>> sums[ROWS][WIDE];
      multiply<Factors, ROWS, WIDE>(folded<Factors>(length), left, right, sums);
      for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < WIDE; v++) {
          const Index column = (panel * WIDE + v) * lanes;
          Number<Factors>* place = to + (row + r) * columns + column;
          if (add || start > 0) sums[r][v] += load(place, columns - column);
          else if (bias) sums[r][v] += load(bias + column, columns - column);
          store(place, sums[r][v], columns - column);
        }
    });
    weight += wide_panels<Factors>(columns) * wide_panel<Factors>(length);
  }
}

// -- a product of its own

constexpr Index GROUP = 240;  // rows that are packed at once: they stay in the cache while all panels pass by

template <class Factors> Index room_for_group(Index depth) {
  return room_for_rows<Factors, tile_rows(WIDE)>(least(DEPTH, depth), GROUP);
}

template <class Factors> void product_rows(const Product& job, Index first, Index last, Packed<Factors>* room) {
  typedef Number<Factors> Real;
  for (Index row = first; row < last; row += GROUP)
    times<Factors>((const Real*)job.from, job.depth, job.depth, (const Packed<Factors>*)job.packed, job.columns,
                   (Real*)job.to, Blocks(row, least(row + GROUP, last), tile_rows(WIDE)), room, false,
                   (const Real*)job.bias);
}

}  // namespace
