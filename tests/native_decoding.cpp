// Decodes with every kind of network in odd sizes, arrays of exactly the size that passage.h says; the sanitizers watch.
#include <stdio.h>
#include <stdlib.h>

#include <memory>
#include <vector>

#include "job.h"
#include "passage.h"

extern "C" {
int64_t glassloom_panel_columns(int64_t set);
int64_t glassloom_lanes(int64_t set);
int64_t glassloom_decode(int64_t set, Passage* passage);
}

static std::vector<std::unique_ptr<float[]>> kept;

static float* filled(int64_t size) {
  kept.emplace_back(new float[static_cast<size_t>(size)]);
  for (int64_t i = 0; i < size; i++) kept.back()[static_cast<size_t>(i)] = float(i % 7 - 3) / 9;
  return kept.back().get();
}

static Matrix matrix(int64_t set, int64_t inputs, int64_t outputs, bool bias) {
  const int64_t columns = glassloom_panel_columns(set), lanes = glassloom_lanes(set), whole = outputs / columns;
  const int64_t rest = (outputs - whole * columns + lanes - 1) / lanes * lanes;
  return {filled(inputs * (whole * columns + rest)), bias ? filled(outputs) : nullptr, inputs, outputs};
}

static void decode(int64_t set, const Network& network, int64_t floats, int64_t position) {
  for (const Choice choice : {Choice{1, 1, 0, 0, 0, -1}, Choice{0.7, 0.9, 0.1, 3, 0, 1}, Choice{1, 1, 0, 0, 1, -1}}) {
    const int64_t length = 6;
    std::vector<double> uniforms(length, 0.7), nats(length);
    std::vector<int64_t> ids(length);
    Passage passage{&network, &choice, filled(floats + PADDING), position, 0, length, uniforms.data(),
                    filled(network.vocabulary), ids.data(), nats.data()};
    const int64_t chosen = glassloom_decode(set, &passage);
    if (chosen < 1) abort();
    for (int64_t i = 0; i < chosen; i++)
      if (ids[static_cast<size_t>(i)] < 0 || ids[static_cast<size_t>(i)] >= network.vocabulary) abort();
  }
  kept.clear();
}

static void recurrent(int64_t set, int64_t cell, int64_t width, int64_t vocabulary, bool folded) {
  const int64_t gates = cell == LSTM_CELL ? 4 : cell == RNN_TANH || cell == RNN_RELU ? 1 : 3, states = gates == 4 ? 2 : 1;
  std::vector<RecurrentPart> parts;
  int64_t below = 3, floats = 0;
  for (const int64_t own : {width, width + 2}) {
    RecurrentPart part{own, {}, {}, {}};
    if (!folded || !parts.empty()) part.input = matrix(set, below, gates * own, true);
    const bool split = cell == GRU_RESET_BEFORE;
    part.recurrent = matrix(set, own, (split ? 2 : gates) * own, cell == GRU_RESET_AFTER);
    if (split) part.candidate = matrix(set, own, own, false);
    parts.push_back(part);
    floats += states * own;
    below = own;
  }
  Network network{};
  network.kind = cell, network.count = 2, network.vocabulary = vocabulary;
  network.width = folded ? gates * width : 3;
  network.table = filled(vocabulary * network.width), network.parts = parts.data();
  network.output = matrix(set, below, vocabulary, true);
  decode(set, network, floats, 0);
}

static void transformer(int64_t set, int64_t heads, int64_t head, int64_t context, int64_t activation, bool other) {
  const int64_t width = heads * head, inner = width + 3, slots = (context + SLOTS - 1) / SLOTS * SLOTS, vocabulary = 5;
  const Norm norm{filled(width), other ? nullptr : filled(width)};
  std::vector<TransformerPart> parts;
  parts.push_back({1, norm, matrix(set, width, 3 * width, !other), matrix(set, width, width, !other)});
  parts.push_back({0, norm, matrix(set, width, activation == SWIGLU ? 2 * inner : inner, true), matrix(set, inner, width, true)});
  Network network{};
  network.epsilon = 1e-5;
  network.kind = TRANSFORMER, network.count = 2, network.vocabulary = vocabulary, network.width = width;
  network.table = filled(vocabulary * width), network.parts = parts.data();
  network.output = matrix(set, width, vocabulary, !other);
  network.heads = heads, network.context = context, network.activation = activation;
  network.rms = other, network.after = other;
  std::vector<double> frequencies(static_cast<size_t>(head / 2), 0.1);
  if (head % 2 == 0) network.frequencies = frequencies.data();
  if (context >= 6 && other) network.positions = filled(context * width);
  network.final = other ? Norm{} : norm;
  decode(set, network, 2 * slots * width, network.positions == nullptr ? 1000003 : context - 6);
}

int main() {
  int ran = 0;
  extern int sets;
  for (int64_t set = 0; set < sets; set++) {
    for (int64_t cell = RNN_TANH; cell <= LSTM_CELL; cell++)
      for (const int64_t width : {1, 5, 16, 67, 130})
        for (const int64_t vocabulary : {2, 65}) recurrent(set, cell, width, vocabulary, vocabulary == 2), ran++;
    const int64_t shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {3, 8, 16}, {1, 33, 17}, {2, 70, 40}, {4, 32, 64}};
    for (const auto& shape : shapes)
      for (int64_t activation = GELU; activation <= SWIGLU; activation++)
        for (const bool other : {false, true}) transformer(set, shape[0], shape[1], shape[2], activation, other), ran++;
  }
  printf("%d", ran);
}

#define X(name) +1
int sets = SETS;
#undef X
