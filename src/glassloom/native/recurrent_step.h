// One token through the recurrent layers. The equations stand in kernels/rnn.py, gru.py, lstm.py.
#pragma once

#include "job.h"
#include "matrix.h"

namespace {

typedef Vector<float> V;

struct RecurrentStep {
  const Network& network;
  const RecurrentPart* parts;
  float *state, *gates, *recurrent, *reset;

  static Index widest(const Network& network) {
    Index most = 0;
    for (Index i = 0; i < network.count; i++) {
      const Index width = ((const RecurrentPart*)network.parts)[i].width;
      most = width > most ? width : most;
    }
    return most;
  }
  static Index room(const Network& network) { return (4 + 3 + 1) * widest(network); }

  RecurrentStep(const Network& network, float* state, float* room)
      : network(network), parts((const RecurrentPart*)network.parts), state(state), gates(room),
        recurrent(room + 4 * widest(network)), reset(recurrent + 3 * widest(network)) {}

  // Reads a token; the vector that the output layer sees.
  const float* read(Index token, Index) {
    const float* below = network.table + token * network.width;
    float* kept = state;
    for (Index i = 0; i < network.count; i++) {
      const RecurrentPart& part = parts[i];
      if (part.input.panels == nullptr) memcpy(gates, below, network.width * sizeof(float));
      else product(part.input, below, gates, FROM_BIAS);
      float* hidden = kept;
      switch (network.kind) {
        case LSTM_CELL: lstm(part, hidden, hidden + part.width); break;
        case GRU_RESET_BEFORE: gru_before(part, hidden); break;
        case GRU_RESET_AFTER: gru_after(part, hidden); break;
        default: rnn(part, hidden);
      }
      below = hidden;
      kept += (network.kind == LSTM_CELL ? 2 : 1) * part.width;
    }
    return below;
  }

  void rnn(const RecurrentPart& part, float* hidden) {
    product(part.recurrent, hidden, gates, FROM_SUM);
    const bool relu = network.kind == RNN_RELU;
    each(part.width, hidden, [&](Index at, Index left) {
      const V value = load(gates + at, left);
      return relu ? (value < 0 ? V{} : value) : tanh<float>(value);
    });
  }

  void lstm(const RecurrentPart& part, float* hidden, float* cell) {
    const Index width = part.width;
    product(part.recurrent, hidden, gates, FROM_SUM);
    const float *input = gates, *forget = gates + width, *candidate = gates + 2 * width, *output = gates + 3 * width;
    each(width, cell, [&](Index at, Index left) {
      return sigmoid<float>(load(forget + at, left)) * load(cell + at, left)
             + sigmoid<float>(load(input + at, left)) * tanh<float>(load(candidate + at, left));
    });
    each(width, hidden, [&](Index at, Index left) {
      return sigmoid<float>(load(output + at, left)) * tanh<float>(load(cell + at, left));
    });
  }

  void gru_before(const RecurrentPart& part, float* hidden) {
    const Index width = part.width;
    product(part.recurrent, hidden, gates, FROM_SUM);  // reset and update
    each(width, reset, [&](Index at, Index left) {
      return sigmoid<float>(load(gates + at, left)) * load(hidden + at, left);
    });
    product(part.candidate, reset, gates + 2 * width, FROM_SUM);
    each(width, hidden, [&](Index at, Index left) {
      const V update = sigmoid<float>(load(gates + width + at, left)), before = load(hidden + at, left);
      return before + update * (tanh<float>(load(gates + 2 * width + at, left)) - before);
    });
  }

  void gru_after(const RecurrentPart& part, float* hidden) {
    const Index width = part.width;
    product(part.recurrent, hidden, recurrent, FROM_BIAS);
    const auto sum = [&](Index at, Index left) { return load(gates + at, left) + load(recurrent + at, left); };
    each(width, hidden, [&](Index at, Index left) {
      const V reset = sigmoid<float>(sum(at, left)), update = sigmoid<float>(sum(width + at, left));
      const V candidate = tanh<float>(load(gates + 2 * width + at, left) + reset * load(recurrent + 2 * width + at, left));
      return candidate + update * (load(hidden + at, left) - candidate);
    });
  }
};

}  // namespace
