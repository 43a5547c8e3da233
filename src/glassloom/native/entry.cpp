// What Python calls: choose an instruction set, split a job over threads.
//
// The threads are those of the caller: torch's OpenMP runtime is handed over as two addresses, so that no second pool
// of threads fights with torch's. Without it (another runtime) every call has threads of its own.
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <thread>
#include <vector>

#include "job.h"

#ifndef SETS
#error "SETS: the instruction sets of this build, given by the build, as X(name) X(name)"
#endif

#define X(name)                                      \
  extern "C" const Kernels glassloom_kernels_##name; \
  extern "C" const AttentionKernels glassloom_attention_##name;
SETS
#undef X

namespace {

typedef void (*Parallel)(void (*)(void*), void*, unsigned, unsigned);
Parallel parallel = nullptr;

// Whether this machine has the instructions of a set, by the set's name.
bool runs_here(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                      && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (strcmp(name, "avx2") == 0) return avx2;
  if (strcmp(name, "avx512") == 0) return avx512;
  if (strcmp(name, "avx512_bf16") == 0) return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
  return strcmp(name, "portable") == 0;
}

struct Set {
  const char* name;
  const Kernels* kernels;
  const AttentionKernels* attention;
};
#define X(name) {#name, &glassloom_kernels_##name, &glassloom_attention_##name},
const Set sets[] = {SETS};
#undef X

// Every thread that comes takes the next part until none is left: right for however many threads come.
template <class Part> struct Shared {
  const Part& part;
  int64_t parts;
  std::atomic<int64_t> next{0};

  static void work(void* given) {
    Shared& shared = *static_cast<Shared*>(given);
    for (int64_t number; (number = shared.next++) < shared.parts;) shared.part(number);
  }
};

template <class Part> void in_parts(int64_t parts, const Part& part) {
  Shared<Part> shared{part, parts};
  if (parts <= 1) {
    Shared<Part>::work(&shared);
  } else if (parallel != nullptr) {
    parallel(Shared<Part>::work, &shared, static_cast<unsigned>(parts), 0);
  } else {
    std::vector<std::thread> others;
    for (int64_t one = 1; one < parts; one++) others.emplace_back(Shared<Part>::work, &shared);
    Shared<Part>::work(&shared);
    for (std::thread& one : others) one.join();
  }
}

// What a thread packs into: kept, and grown where it is too small.
struct Room {
  void* memory = nullptr;
  int64_t size = 0;

  void* of(int64_t bytes) {
    if (bytes > size) {
      free(memory);
      size = (bytes + 63) / 64 * 64;
      memory = aligned_alloc(64, static_cast<size_t>(size));
      if (memory == nullptr) abort();
    }
    return memory;
  }
  ~Room() { free(memory); }
};
thread_local Room room, weights;  // rows; a whole weight, packed by the thread that calls

}  // namespace

#define EXPORTED __attribute__((visibility("default")))

extern "C" {

// torch's GOMP_parallel, or null.
EXPORTED void glassloom_threads(void* gomp_parallel) { parallel = reinterpret_cast<Parallel>(gomp_parallel); }

// By this the caller knows whether it means the same by a job; to be the first thing that is asked.
EXPORTED int glassloom_job_bytes(void) {
  return static_cast<int>(sizeof(Job) + sizeof(Product) + sizeof(Softmax) + sizeof(Drop));
}

EXPORTED int glassloom_attention_job_bytes(void) { return static_cast<int>(sizeof(AttentionJob)); }

EXPORTED int64_t glassloom_sets(void) { return static_cast<int64_t>(sizeof sets / sizeof *sets); }

EXPORTED const char* glassloom_set_name(int64_t set) { return sets[set].name; }

EXPORTED int64_t glassloom_set_runs(int64_t set) { return runs_here(sets[set].name) ? 1 : 0; }

EXPORTED int64_t glassloom_packed_bytes(int64_t set, const Job* job, int64_t direction) {
  return sets[set].kernels->packed_bytes(job, static_cast<int>(direction));
}

EXPORTED void glassloom_pack(int64_t set, const Job* job, int64_t direction) {
  const Kernels* kernels = sets[set].kernels;
  in_parts(job->threads, [=](int64_t part) { kernels->pack(job, static_cast<int>(direction), part, job->threads); });
}

// Without a packed weight: packs it first. With what lies below: the surroundings too.
EXPORTED void glassloom_run(int64_t set, const Job* asked, int64_t direction) {
  const Kernels* kernels = sets[set].kernels;
  Job job = *asked;
  if (job.packed == nullptr) {
    job.packed = weights.of(glassloom_packed_bytes(set, &job, direction));
    glassloom_pack(set, &job, direction);
  }
  const auto surroundings = [=, &job](int64_t part) {
    kernels->surroundings(&job, static_cast<int>(direction), part, job.around, room.of(kernels->surroundings_bytes(&job)));
  };
  if (job.from_below != nullptr && direction == FORWARD) in_parts(job.around, surroundings);
  const int64_t rows = job.batch, parts = job.threads < rows ? job.threads : rows;
  in_parts(parts, [=, &job](int64_t part) {
    const int64_t first = rows * part / parts, last = rows * (part + 1) / parts;
    kernels->run(&job, static_cast<int>(direction), first, last, room.of(kernels->room_bytes(&job, last - first)));
  });
  if (job.from_below != nullptr && direction == BACKWARD) in_parts(job.around, surroundings);
}

EXPORTED int64_t glassloom_product_bytes(int64_t set, const Product* job) {
  return sets[set].kernels->product_bytes(job, 0);
}

EXPORTED void glassloom_product(int64_t set, const Product* job) {
  const Kernels* kernels = sets[set].kernels;
  const int64_t rows = job->rows, parts = job->threads < rows ? job->threads : rows;
  in_parts(job->threads, [=](int64_t part) { kernels->pack_product(job, part, job->threads); });
  in_parts(parts, [=](int64_t part) {
    kernels->product(job, rows * part / parts, rows * (part + 1) / parts, room.of(kernels->product_bytes(job, 1)));
  });
}

EXPORTED void glassloom_drop(int64_t set, const Drop* job) {
  const Kernels* kernels = sets[set].kernels;
  const int64_t count = job->count, parts = job->threads;
  in_parts(parts, [=](int64_t part) { kernels->drop(job, count * part / parts, count * (part + 1) / parts); });
}

EXPORTED void glassloom_softmax(int64_t set, const Softmax* job) {
  const Kernels* kernels = sets[set].kernels;
  const int64_t rows = job->rows, parts = job->threads < rows ? job->threads : rows;
  in_parts(parts, [=](int64_t part) { kernels->softmax(job, rows * part / parts, rows * (part + 1) / parts); });
}

EXPORTED void glassloom_attend(int64_t set, const AttentionJob* job, int64_t direction) {
  const AttentionKernels* kernels = sets[set].attention;
  const int64_t items = job->batch * job->heads, parts = job->threads < items ? job->threads : items;
  in_parts(parts, [=](int64_t part) {
    void* own = room.of(kernels->room_bytes(job));
    for (int64_t item = items * part / parts; item < items * (part + 1) / parts; item++)
      kernels->run(job, static_cast<int>(direction), item, own);
  });
}

}  // extern "C"
