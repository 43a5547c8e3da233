// Runs every cell, the loss and attention over odd shapes with arrays of exactly the size that job.h says; the
// sanitizers watch.
#include <stdio.h>

#include <vector>

#include "job.h"

extern "C" {
int64_t glassloom_sets(void);
int64_t glassloom_packed_bytes(int64_t set, const Job* job, int64_t direction);
void glassloom_pack(int64_t set, const Job* job, int64_t direction);
void glassloom_run(int64_t set, const Job* job, int64_t direction);
int64_t glassloom_product_bytes(int64_t set, const Product* job);
void glassloom_product(int64_t set, const Product* job);
void glassloom_softmax(int64_t set, const Softmax* job);
void glassloom_drop(int64_t set, const Drop* job);
void glassloom_attend(int64_t set, const AttentionJob* job, int64_t direction);
}

template <class Real> static void* filled(std::vector<std::vector<Real>>& arrays, int64_t size) {
  arrays.emplace_back(static_cast<size_t>(size));
  for (size_t place = 0; place < arrays.back().size(); place++) arrays.back()[place] = Real(int(place % 7) - 3) / 5;
  return arrays.back().data();
}

template <class Real> static void both_directions(int64_t set, Job job) {
  const int64_t gates = gates_of(job.cell), layer = job.batch * job.width, whole = job.steps * layer;
  std::vector<std::vector<Real>> arrays;
  arrays.reserve(20);
  job.weight = filled(arrays, gates * job.width * job.width);
  job.recurrent_bias = filled(arrays, job.width);
  job.gates = filled(arrays, gates * whole);
  job.states = filled(arrays, whole + layer);
  job.cells = filled(arrays, whole + layer);
  job.beside = filled(arrays, whole);
  job.from_outputs = filled(arrays, whole);
  job.incoming = filled(arrays, layer);
  job.cell_incoming = filled(arrays, layer);
  if (job.inputs > 0) {
    job.from_below = filled(arrays, job.steps * job.batch * job.inputs);
    job.input_weight = filled(arrays, gates * job.width * job.inputs);
    job.bias = filled(arrays, gates * job.width);
    job.to_below = filled(arrays, job.steps * job.batch * job.inputs);
    job.to_weight = filled(arrays, gates * job.width * job.inputs);
    job.to_recurrent = filled(arrays, gates * job.width * job.width);
    job.to_bias = filled(arrays, gates * job.width);
    job.to_recurrent_bias = filled(arrays, job.width);
  }
  for (int64_t direction : {FORWARD, BACKWARD}) {
    std::vector<char> packed(static_cast<size_t>(glassloom_packed_bytes(set, &job, direction)));
    job.packed = packed.data();
    glassloom_pack(set, &job, direction);
    glassloom_run(set, &job, direction);
  }
}

template <class Real, class Kept> static void losses(int64_t set, int64_t precision, int64_t rows, int64_t vocabulary) {
  std::vector<std::vector<Real>> arrays;
  std::vector<std::vector<Kept>> logits;
  arrays.reserve(4), logits.reserve(1);
  const std::vector<int64_t> targets(static_cast<size_t>(rows), vocabulary - 1);
  Softmax job{};
  job.precision = precision, job.rows = rows, job.vocabulary = vocabulary, job.threads = 2, job.gradient = 1;
  job.logits = filled(logits, rows * vocabulary);
  job.bias = filled(arrays, vocabulary);
  job.weights = filled(arrays, rows);
  job.nats = filled(arrays, rows);
  job.targets = targets.data();
  glassloom_softmax(set, &job);
}

template <class Real> static void products(int64_t set, int64_t precision, const int64_t (&shape)[3], bool turned) {
  std::vector<std::vector<Real>> arrays;
  arrays.reserve(4);
  Product job{};
  job.precision = precision, job.rows = shape[0], job.depth = shape[1], job.columns = shape[2], job.threads = 2;
  job.down = turned ? 1 : job.columns, job.right = turned ? job.depth : 1;
  job.from = filled(arrays, job.rows * job.depth);
  job.weight = filled(arrays, job.depth * job.columns);
  job.bias = filled(arrays, job.columns);
  job.to = filled(arrays, job.rows * job.columns);
  std::vector<char> packed(static_cast<size_t>(glassloom_product_bytes(set, &job)));
  job.packed = packed.data();
  glassloom_product(set, &job);
}

template <class Real> static void drops(int64_t set, int64_t precision, int64_t count, int64_t period) {
  std::vector<std::vector<Real>> arrays;
  arrays.reserve(2);
  Drop job{};
  job.precision = precision, job.count = count, job.period = period, job.threads = 2;
  job.seed = 0x0123456789abcdef, job.threshold = 1u << 31, job.scale = 2;
  job.from = filled(arrays, count);
  job.to = filled(arrays, count);
  glassloom_drop(set, &job);
}

template <class Kept> static void attended(int64_t set, AttentionJob job) {
  const int64_t entries = job.batch * job.time * job.heads * job.width;
  std::vector<std::vector<Kept>> kept;
  std::vector<std::vector<float>> numbers;
  kept.reserve(8);
  numbers.reserve(8);
  job.projected = filled(kept, 3 * entries);
  job.mixed = filled(kept, entries);
  job.keys = filled(kept, entries);
  job.from_projected = filled(kept, 3 * entries);
  job.sums = filled(numbers, job.batch * job.heads * job.time * 2);
  if (job.width % 2 == 0) {
    job.cosines = filled(numbers, job.time * job.width / 2);
    job.sines = filled(numbers, job.time * job.width / 2);
  }
  for (int64_t direction : {FORWARD, BACKWARD}) glassloom_attend(set, &job, direction);
}

int main() {
  const int64_t shapes[][3] = {{1, 1, 1}, {3, 2, 5}, {2, 13, 31}, {0, 2, 3}, {2, 7, 67}, {1, 3, 128}, {1, 2, 300}};
  int ran = 0;
  for (int64_t set = 0; set < glassloom_sets(); set++)
    for (int64_t cell = RNN_TANH; cell <= LSTM_CELL; cell++)
      for (const auto& shape : shapes)
        for (int64_t inputs : {0, 1, 3, 35}) {
          Job job{};
          job.cell = cell, job.steps = shape[0], job.batch = shape[1], job.width = shape[2], job.threads = 2;
          job.inputs = inputs, job.around = 2;
          job.precision = FLOAT32;
          both_directions<float>(set, job);
          job.precision = BFLOAT16;
          both_directions<float>(set, job);
          job.precision = FLOAT64;
          both_directions<double>(set, job);
          ran += 3;
        }
  for (int64_t set = 0; set < glassloom_sets(); set++)
    for (int64_t vocabulary : {1, 3, 16, 65, 129}) {
      losses<float, float>(set, FLOAT32, 3, vocabulary);
      losses<double, double>(set, FLOAT64, 3, vocabulary);
      losses<float, uint16_t>(set, BFLOAT16, 3, vocabulary);
      ran += 3;
    }
  for (int64_t set = 0; set < glassloom_sets(); set++)
    for (const auto& shape : shapes)
      for (bool turned : {false, true}) {
        products<float>(set, FLOAT32, shape, turned);
        products<float>(set, BFLOAT16, shape, turned);
        products<double>(set, FLOAT64, shape, turned);
        ran += 3;
      }
  for (int64_t set = 0; set < glassloom_sets(); set++)
    for (int64_t period : {1, 7, 67, 201}) {
      drops<float>(set, FLOAT32, 201, period);
      drops<double>(set, FLOAT64, 201, period);
      ran += 2;
    }
  const int64_t attentions[][4] = {{1, 1, 1, 1}, {2, 7, 3, 5}, {1, 33, 2, 16}, {3, 13, 1, 70}, {1, 130, 2, 24}};
  for (int64_t set = 0; set < glassloom_sets(); set++)
    for (const auto& shape : attentions) {
      AttentionJob job{};
      job.batch = shape[0], job.time = shape[1], job.heads = shape[2], job.width = shape[3], job.threads = 2;
      job.scale = 0.5;
      job.precision = FLOAT32;
      attended<float>(set, job);
      job.precision = BFLOAT16;
      attended<uint16_t>(set, job);
      ran += 2;
    }
  printf("%d", ran);
}
