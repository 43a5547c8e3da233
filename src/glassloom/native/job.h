// What the kernels are asked to do: the plain C interface between Python and every instruction set's build.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum Cell { RNN_TANH, RNN_RELU, GRU_RESET_BEFORE, GRU_RESET_AFTER, LSTM_CELL };
enum Precision { FLOAT32, FLOAT64, BFLOAT16 };  // of the products' factors; all else is float32 with BFLOAT16
enum Direction { FORWARD, BACKWARD };

static inline int64_t gates_of(int64_t cell) { return cell == LSTM_CELL ? 4 : cell == RNN_TANH || cell == RNN_RELU ? 1 : 3; }

// One layer over a whole sequence. Arrays lie row by row; T steps, B rows, H units, G gates.
struct Job {
  int64_t cell, precision, steps, batch, width, threads;
  int64_t inputs, around;      // of a short sequence: entries of an input; threads of what surrounds its steps
  const void* weight;          // recurrent, G*H x H, gates in torch's order
  void* packed;                // the same for one direction, as `pack` made it; null: `run` packs it
  const void* recurrent_bias;  // H, of GRU_RESET_AFTER
  void* gates;                 // T B G*H: forward, arguments in and activations out; backward, to arguments' gradients
  void* states;                // T+1 B H, the first given; an RNN's arguments come in where its states go out
  void* cells;                 // T+1 B H, the first given; LSTM
  void* beside;                // T B H: LSTM tanh(cell); GRU before, reset * state; GRU after, the candidate's recurrent
                               // product, whose place its gradient takes in the backward pass
  const void* from_outputs;    // T B H, the gradient of the states
  void* incoming;              // B H, in: the gradient of the last state; out: of the first
  void* cell_incoming;         // B H, the same of the cell; GRU before: room for the gradient of reset * state
  // A short sequence's surroundings; all null where the caller multiplies by himself.
  const void* from_below;      // T B inputs
  const void* input_weight;    // G*H x inputs
  const void* bias;            // G*H
  void* to_below;              // T B inputs, the gradient of `from_below`, or null; and of the others:
  void* to_weight;             // G*H x inputs
  void* to_recurrent;          // G*H x H
  void* to_bias;               // G*H
  void* to_recurrent_bias;     // H, of GRU_RESET_AFTER
};

// Rows times a weight: to = from weight + bias. Element (k, n) of the weight stands at weight[k * down + n * right].
struct Product {
  int64_t precision, rows, depth, columns, down, right, threads;
  const void* from;    // rows x depth
  const void* weight;
  void* packed;        // room for the packed weight
  const void* bias;    // columns, or null
  void* to;            // rows x columns
};

// Logits of R rows over V tokens, of FLOAT32, FLOAT64 or BFLOAT16; all else is float32 with BFLOAT16.
struct Softmax {
  int64_t precision, rows, vocabulary, threads, gradient;  // gradient: whether logits become their own gradient
  void* logits;            // R V
  const void* bias;        // V, to be added to the logits, or null
  const int64_t* targets;  // R
  const void* weights;     // R, what a row's loss counts
  void* nats;              // R, out
};

// Entries that stay, scaled, and zeros; whether one stays follows from its place modulo `period` and the seed.
struct Drop {
  int64_t precision, count, period, seed, threshold, threads;  // stays where the scatter of its place >= threshold
  double scale;
  const void* from;  // count
  void* to;          // count
};

// Causal attention of every row and head. Kept numbers are float32 or bfloat16 (`precision`), all else is float32.
struct AttentionJob {
  int64_t precision, batch, time, heads, width, threads;  // width: of a head
  double scale;                // of the scores
  const void* cosines;         // T x width/2, the angles by which queries and keys are turned; or null
  const void* sines;
  const void* projected;       // B T 3 heads width: queries, keys, values side by side
  void* mixed;                 // B T heads width: forward, what comes out; backward, its gradient
  void* sums;                  // B heads T 2, from the forward pass to the backward pass
  void* keys;                  // B heads T width: the turned keys; or null
  void* from_projected;        // B T 3 heads width: backward, the gradient that comes out
};

struct Kernels {
  int64_t (*packed_bytes)(const struct Job*, int direction);
  void (*pack)(const struct Job*, int direction, int64_t part, int64_t parts);
  int64_t (*room_bytes)(const struct Job*, int64_t rows);
  void (*run)(const struct Job*, int direction, int64_t first, int64_t last, void* room);  // rows first..last
  int64_t (*surroundings_bytes)(const struct Job*);
  void (*surroundings)(const struct Job*, int direction, int64_t part, int64_t parts, void* room);
  int64_t (*product_bytes)(const struct Product*, int part);  // of the packed weight (0), of a thread's room (1)
  void (*pack_product)(const struct Product*, int64_t part, int64_t parts);
  void (*product)(const struct Product*, int64_t first, int64_t last, void* room);
  void (*softmax)(const struct Softmax*, int64_t first, int64_t last);
  void (*drop)(const struct Drop*, int64_t first, int64_t last);
};

struct AttentionKernels {
  int64_t (*room_bytes)(const struct AttentionJob*);
  void (*run)(const struct AttentionJob*, int direction, int64_t item, void* room);  // one row's head
};

#ifdef __cplusplus
}
#endif
