#include "unit/app/allocations.h"

#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/debugging/symbolize.h"
#include "absl/strings/str_cat.h"

// glibc's own functions.
extern "C" {
void* GlibcMalloc(size_t size) noexcept asm("__libc_malloc");
void* GlibcCalloc(size_t count, size_t size) noexcept asm("__libc_calloc");
void* GlibcRealloc(void* block, size_t size) noexcept asm("__libc_realloc");
void* GlibcMemalign(size_t align, size_t size) noexcept asm("__libc_memalign");
}

namespace rls {
namespace {

struct Place {
  std::array<void*, 24> calls;
  int depth = 0;
};

struct Counting {
  bool on = false;
  size_t count = 0;
  std::array<Place, 8> places;
};
thread_local Counting counting;

void Note() {
  Counting& counts = counting;
  if (!std::exchange(counts.on, false)) return;
  if (counts.count < counts.places.size()) {
    Place& place = counts.places[counts.count];
    place.depth =
        backtrace(place.calls.data(), static_cast<int>(place.calls.size()));
  }
  ++counts.count;
  counts.on = true;
}

std::string NameOf(void* call) {
  // The return address belongs to the instruction after the call.
  char name[512];
  return absl::Symbolize(static_cast<char*>(call) - 1, name, sizeof(name))
             ? name
             : "?";
}

}  // namespace

Allocations::Allocations() {
  void* call = nullptr;
  backtrace(&call, 1);  // The first call of backtrace() allocates.
  counting.count = 0;
  counting.on = true;
}

Allocations::~Allocations() { counting.on = false; }

size_t Allocations::count() const { return counting.count; }

std::string Allocations::Places() const {
  const bool was_on = std::exchange(counting.on, false);
  std::string text;
  const size_t known = std::min(counting.count, counting.places.size());
  for (size_t i = 0; i < known; ++i) {
    absl::StrAppend(&text, "allocation ", i + 1, ":\n");
    const Place& place = counting.places[i];
    for (int call = 2; call < place.depth; ++call) {  // after Note and malloc
      absl::StrAppend(&text, "  ", NameOf(place.calls[call]), "\n");
    }
  }
  counting.on = was_on;
  return text;
}

}  // namespace rls

extern "C" {

void* malloc(size_t size) noexcept {
  rls::Note();
  return GlibcMalloc(size);
}

void* calloc(size_t count, size_t size) noexcept {
  rls::Note();
  return GlibcCalloc(count, size);
}

void* realloc(void* block, size_t size) noexcept {
  rls::Note();
  return GlibcRealloc(block, size);
}

void* aligned_alloc(size_t align, size_t size) noexcept {
  rls::Note();
  return GlibcMemalign(align, size);
}

}  // extern "C"
