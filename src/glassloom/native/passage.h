// What a decoder is asked to do: the plain C interface between Python and every instruction set's build.
//
// One row, token after token: read a token, get the logits, choose the next. All numbers are float32 but for the choice.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { TRANSFORMER = 5 };  // a network's kind, beside the cells of job.h
enum Activation { GELU, RELU, RELU2, SWIGLU, GELU_TANH };

// y = W x + b. The columns of W^T stand in panels of `panel_columns`, the last one narrower by whole vectors; each panel
// holds one input after the other. No bias: null. A matrix that is not there: no panels.
struct Matrix {
  const float *panels, *bias;
  int64_t inputs, outputs;
};

struct Norm {
  const float *weight, *bias;  // no weight: there is no norm; no bias: null
};

// Gates in torch's order. Without an input matrix the layer below gives the gates themselves, biases added.
struct RecurrentPart {
  int64_t width;
  struct Matrix input, recurrent;
  struct Matrix candidate;  // GRU with the reset before: the candidate's, which `recurrent` then lacks
};

// A sublayer: attention (inner: queries, keys, values; outer: the output), or feed-forward.
struct TransformerPart {
  int64_t attends;
  struct Norm norm;
  struct Matrix inner, outer;
};

struct Network {
  int64_t kind, count, vocabulary, width;  // width of the table's rows
  const float* table;                      // vocabulary width: what a token is
  const void* parts;                       // `count` of RecurrentPart, or of TransformerPart
  struct Matrix output;
  int64_t heads, context, activation, rms, after;  // a transformer's; after: norms stand behind their sublayers
  const float* positions;                          // context width, added to the table's row; or null
  const double* frequencies;                       // half a head's entries: rotary positions' angles at 1; or null
  struct Norm final;
  double epsilon;                                  // added to a norm's variance
};

struct Choice {
  double temperature, top_p, min_p;
  int64_t top_k, greedy;
  int64_t end;  // no more tokens after this one; -1: none
};

// The state lies flat, part by part. A recurrent layer: hidden vector, then an LSTM's cell. An attention sublayer: keys
// (heads, blocks of 16 slots, head's entries, 16), then values (slots, width), of blocks * 16 slots that take turns: the
// token at position p has slot p % context. Behind it all are PADDING more numbers, which may be read and mean nothing.
enum { SLOTS = 16, PADDING = 16 };

struct Passage {
  const struct Network* network;
  const struct Choice* choice;
  float* state;
  int64_t position;        // tokens read before this call; where positions have a table: those read in this window
  int64_t token, length;   // the token to read first; how many to choose
  const double* uniforms;  // length, from [0, 1)
  float* logits;           // vocabulary: those of the last token read
  int64_t* ids;            // length: the tokens chosen
  double* nats;            // length: the loss of each at temperature 1
};

struct Decoder {
  int64_t panel_columns, lanes;
  // How many were chosen: fewer than `length` after `end`, or where the probabilities are not finite.
  int64_t (*run)(struct Passage*);
};

// A token out of weights, the greatest of which is 1; top-k, top-p and min-p take some away first.
int64_t glassloom_draw(const struct Choice*, int64_t count, double* weights, double uniform);

#ifdef __cplusplus
}
#endif
