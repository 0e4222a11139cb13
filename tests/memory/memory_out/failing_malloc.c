/* malloc of this process, put before the system's by LD_PRELOAD: fails one request, or all from one on, of those above a size that
   come from the Python library or from ours. The system's own functions, V8 and Deno get all their memory. */

#define _GNU_SOURCE
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

enum { MAX_RANGES = 16 };
static struct { uintptr_t start, end; } ranges[MAX_RANGES];
static size_t range_count;

static atomic_int armed;
static atomic_long seen;
static atomic_size_t failed_bytes;
static long first_failing, last_failing;
static size_t above;

static int add_ranges(struct dl_phdr_info *library, size_t size, void *with_program) {
  (void)size;
  const char *name = library->dlpi_name;
  int is_program = with_program && !*name;
  if (!is_program && !strstr(name, "oneheap_deno") && !strstr(name, "libpython")) return 0;
  for (int at = 0; at < library->dlpi_phnum && range_count < MAX_RANGES; at++) {
    const ElfW(Phdr) *segment = &library->dlpi_phdr[at];
    if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
    ranges[range_count].start = library->dlpi_addr + segment->p_vaddr;
    ranges[range_count].end = ranges[range_count].start + segment->p_memsz;
    range_count++;
  }
  return 0;
}

/* How many executable segments the two libraries have, and the program itself, which may be a Python, if it is to count too. */
long failing_find(int with_program) {
  range_count = 0;
  dl_iterate_phdr(add_ranges, with_program ? &range_count : NULL);
  return (long)range_count;
}

/* From now on requests of more than `bytes` bytes are counted, and those with the numbers `first` to `last` fail. */
void failing_arm(size_t bytes, long first, long last) {
  above = bytes;
  first_failing = first;
  last_failing = last;
  atomic_store(&failed_bytes, 0);
  atomic_store(&seen, 0);
  atomic_store(&armed, 1);
}

/* How many requests were counted; none fails any more. */
long failing_disarm(void) {
  atomic_store(&armed, 0);
  return atomic_load(&seen);
}

/* The size of the first request that failed; 0 if none did. */
size_t failing_bytes(void) { return atomic_load(&failed_bytes); }

static int fails(size_t bytes, void *caller) {
  if (!atomic_load_explicit(&armed, memory_order_relaxed) || bytes <= above) return 0;
  uintptr_t address = (uintptr_t)caller;
  int counts = 0;
  for (size_t at = 0; at < range_count; at++) {
    counts |= address >= ranges[at].start && address < ranges[at].end;
  }
  if (!counts) return 0;
  long number = atomic_fetch_add(&seen, 1) + 1;
  if (number < first_failing || number > last_failing) return 0;
  size_t none = 0;
  atomic_compare_exchange_strong(&failed_bytes, &none, bytes);
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t bytes) {
  return fails(bytes, __builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
  size_t all;
  if (__builtin_mul_overflow(count, bytes, &all)) all = SIZE_MAX;
  return fails(all, __builtin_return_address(0)) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
  return fails(bytes, __builtin_return_address(0)) ? NULL : __libc_realloc(block, bytes);
}
