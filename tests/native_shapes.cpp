// Runs every cell, and attention, over odd shapes with arrays of exactly the size that job.h says; the sanitizers watch.
#include <stdio.h>

#include <vector>

#include "job.h"

extern "C" {
int64_t glassloom_sets(void);
int64_t glassloom_packed_bytes(int64_t set, const Job* job, int64_t direction);
void glassloom_pack(int64_t set, const Job* job, int64_t direction);
void glassloom_run(int64_t set, const Job* job, int64_t direction);
void glassloom_attend(int64_t set, const AttentionJob* job, int64_t direction);
}

template <class Real> static void* filled(std::vector<std::vector<Real>>& arrays, int64_t size) {
  arrays.emplace_back(static_cast<size_t>(size));
  for (size_t place = 0; place < arrays.back().size(); place++) arrays.back()[place] = Real(int(place % 7) - 3) / 5;
  return arrays.back().data();
}

template <class Real> static void both_directions(int64_t set, Job job) {
  const int64_t gates = job.cell == LSTM_CELL ? 4 : job.cell == RNN_TANH || job.cell == RNN_RELU ? 1 : 3;
  const int64_t layer = job.batch * job.width, whole = job.steps * layer;
  std::vector<std::vector<Real>> arrays;
  arrays.reserve(16);
  job.weight = filled(arrays, gates * job.width * job.width);
  job.recurrent_bias = filled(arrays, job.width);
  job.gates = filled(arrays, gates * whole);
  job.states = filled(arrays, whole + layer);
  job.cells = filled(arrays, whole + layer);
  job.beside = filled(arrays, whole);
  job.from_outputs = filled(arrays, whole);
  job.incoming = filled(arrays, layer);
  job.cell_incoming = filled(arrays, layer);
  for (int64_t direction : {FORWARD, BACKWARD}) {
    std::vector<char> packed(static_cast<size_t>(glassloom_packed_bytes(set, &job, direction)));
    job.packed = packed.data();
    glassloom_pack(set, &job, direction);
    glassloom_run(set, &job, direction);
  }
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
      for (const auto& shape : shapes) {
        Job job{};
        job.cell = cell, job.steps = shape[0], job.batch = shape[1], job.width = shape[2], job.threads = 2;
        job.precision = FLOAT32;
        both_directions<float>(set, job);
        job.precision = FLOAT64;
        both_directions<double>(set, job);
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
