// One instruction set's kernels: compiled once for each, with its name and the width of its vectors.
#include "drop.h"
#include "gru.h"
#include "lstm.h"
#include "rnn.h"
#include "short.h"
#include "softmax.h"

#define JOIN(one, two) one##two
#define NAMED(one, two) JOIN(one, two)

namespace {

// visit(factors) with a value of the class that a precision's factors have.
template <class Visit> INLINE auto with_factors(int64_t precision, const Visit& visit) {
  switch (precision) {
    case FLOAT64: return visit(Plain<double>());
#ifdef __AVX512BF16__
    case BFLOAT16: return visit(Rounded());
#endif
    default: return visit(Plain<float>());
  }
}

// visit(cell, arrays) with the class of a job's cell, and its arrays as that reads them.
template <class Factors, class Visit> INLINE auto with_cell(const Job& job, const Visit& visit) {
  switch (job.cell) {
    case RNN_TANH: return visit(Rnn<Factors, false>(), Arrays<Factors>(job));
    case RNN_RELU: return visit(Rnn<Factors, true>(), Arrays<Factors>(job));
    case GRU_RESET_BEFORE: return visit(GruBefore<Factors>(), Arrays<Factors>(job));
    case GRU_RESET_AFTER: return visit(GruAfter<Factors>(), Arrays<Factors>(job));
    default: return visit(Lstm<Factors>(), Arrays<Factors>(job));
  }
}

template <class Visit> INLINE auto with_precision(const Job& job, const Visit& visit) {
  return with_factors(job.precision, [&](auto factors) { return with_cell<decltype(factors)>(job, visit); });
}

int64_t packed_bytes(const Job* job, int direction) {
  return with_precision(*job, [&](auto cell, auto arrays) {
    return cell.packed(arrays.width, direction) * (Index)sizeof *arrays.packed;
  });
}

void pack(const Job* job, int direction, int64_t part, int64_t parts) {
  with_precision(*job, [&](auto cell, auto arrays) { cell.pack(arrays, direction, part, parts); });
}

int64_t room_bytes(const Job* job, int64_t rows) {
  return with_precision(*job, [&](auto cell, auto arrays) {
    return cell.room(arrays.width, rows) * (Index)sizeof *arrays.packed;
  });
}

void run(const Job* job, int direction, int64_t first, int64_t last, void* room) {
  with_precision(*job, [&](auto cell, auto arrays) {
    auto* packed_rows = (decltype(arrays.packed))room;
    if (direction == FORWARD) cell.forward(arrays, first, last, packed_rows);
    else cell.backward(arrays, first, last, packed_rows);
  });
}

int64_t surroundings_bytes(const Job* job) {
  return short_room(*job) * (job->precision == FLOAT64 ? 8 : 4);
}

template <class Real> void surround(const Job& job, int direction, int64_t part, int64_t parts, Real* room) {
  const Index units = gates_of(job.cell) * job.width;
  if (direction == FORWARD) project_short<Real>(job, units * part / parts, units * (part + 1) / parts, room);
  else gradients_short<Real>(job, part, parts);
}

void surroundings(const Job* job, int direction, int64_t part, int64_t parts, void* room) {
  if (job->precision == FLOAT64) surround(*job, direction, part, parts, (double*)room);
  else surround(*job, direction, part, parts, (float*)room);
}

int64_t product_bytes(const Product* job, int part) {
  return with_factors(job->precision, [&](auto factors) {
    typedef decltype(factors) Factors;
    const Index size = part ? room_for_group<Factors>(job->depth) : packed_size<Factors>(job->depth, job->columns);
    return size * (Index)sizeof(Packed<Factors>);
  });
}

void pack_product(const Product* job, int64_t part, int64_t parts) {
  with_factors(job->precision, [&](auto factors) {
    typedef decltype(factors) Factors;
    const Weight<Number<Factors>> weight{(const Number<Factors>*)job->weight, job->down, job->right, job->depth};
    pack_weight<Factors>(weight, job->columns, (Packed<Factors>*)job->packed, part, parts);
  });
}

void product(const Product* job, int64_t first, int64_t last, void* room) {
  with_factors(job->precision, [&](auto factors) {
    typedef decltype(factors) Factors;
    product_rows<Factors>(*job, first, last, (Packed<Factors>*)room);
  });
}

void softmax(const Softmax* job, int64_t first, int64_t last) {
  switch (job->precision) {
    case FLOAT64: return softmax_rows<double>(*job, first, last);
    case BFLOAT16: return softmax_rows<Half>(*job, first, last);
    default: return softmax_rows<float>(*job, first, last);
  }
}

void drop(const Drop* job, int64_t first, int64_t last) {
  if (job->precision == FLOAT64) drop_entries<double>(*job, first, last);
  else drop_entries<float>(*job, first, last);
}

}  // namespace

extern "C" const Kernels NAMED(glassloom_kernels_, SET) = {
    packed_bytes, pack, room_bytes, run, surroundings_bytes, surroundings, product_bytes, pack_product, product, softmax, drop};
