// What Python calls of the decoders: those of every instruction set, numbered as in entry.cpp.
#include "passage.h"

#ifndef SETS
#error "SETS: the instruction sets of this build, given by the build, as X(name) X(name)"
#endif

#define X(name) extern "C" const Decoder glassloom_decoder_##name;
SETS
#undef X

namespace {
#define X(name) &glassloom_decoder_##name,
const Decoder* const decoders[] = {SETS};
#undef X
}  // namespace

#define EXPORTED __attribute__((visibility("default")))

extern "C" {

// By this the caller knows whether it means the same by a passage.
EXPORTED int64_t glassloom_passage_bytes(void) {
  return sizeof(Passage) + sizeof(Network) + sizeof(Choice) + sizeof(RecurrentPart) + sizeof(TransformerPart);
}

EXPORTED int64_t glassloom_panel_columns(int64_t set) { return decoders[set]->panel_columns; }

EXPORTED int64_t glassloom_lanes(int64_t set) { return decoders[set]->lanes; }

EXPORTED int64_t glassloom_decode(int64_t set, Passage* passage) { return decoders[set]->run(passage); }

}  // extern "C"
