// One instruction set's decoder: compiled once for each, with its name and the width of its vectors.
#include <stdlib.h>

#include "choice.h"
#include "recurrent_step.h"
#include "transformer_step.h"

#define JOIN(one, two) one##two
#define NAMED(one, two) JOIN(one, two)

namespace {

template <class Step> Index passage(Passage& given) {
  const Network& network = *given.network;
  const Index floats = above(Step::room(network), 16) * 16, bytes = floats * 4 + above(network.vocabulary, 8) * 64;
  float* room = (float*)aligned_alloc(64, (size_t)bytes);
  if (room == nullptr) abort();
  Step step(network, given.state, room);
  Chooser chooser{*given.choice, network.vocabulary, (double*)(room + floats)};
  Index token = given.token, place = 0;
  while (place < given.length) {
    product(network.output, step.read(token, given.position + place), given.logits, FROM_BIAS);
    token = chooser.choose(given.logits, given.uniforms[place]);
    if (token < 0) break;
    given.ids[place] = token;
    given.nats[place++] = chooser.nats;
    if (token == given.choice->end) break;
  }
  free(room);
  return place;
}

int64_t run(Passage* given) {
  return given->network->kind == TRANSFORMER ? passage<TransformerStep>(*given) : passage<RecurrentStep>(*given);
}

}  // namespace

extern "C" const Decoder NAMED(glassloom_decoder_, SET) = {PANEL * WIDE, WIDE, run};
