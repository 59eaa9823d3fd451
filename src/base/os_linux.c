/* What POSIX does not offer: processors allowed, matrix tiles, resident memory by kind,
 * advice on pages. The only file that asks for more than POSIX. */
#define _GNU_SOURCE
#include "base/os.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A small file of the kernel's as text; empty if it can't be read. */
static void read_small(const char *path, char *text, size_t cap) {
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        for (ssize_t n; used < cap - 1; used += (size_t)n)
            if ((n = read(fd, text + used, cap - 1 - used)) <= 0)
                break;
        (void)close(fd);
    }
    text[used] = '\0';
}

int os_processors(void) {
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                         : sysconf(_SC_NPROCESSORS_ONLN);
    /* A container's share: "quota period" in microseconds, or "max period". */
    char text[64];
    read_small("/sys/fs/cgroup/cpu.max", text, sizeof text);
    char *end;
    long quota = strtol(text, &end, 10);
    long period = end != text ? strtol(end, NULL, 10) : 0;
    if (quota > 0 && period > 0 && (quota + period - 1) / period < n)
        n = (quota + period - 1) / period;
    return n < 1 ? 1 : (int)n;
}

bool os_allow_tiles(void) {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

/* The value behind "name:" in /proc/self/status, which is in kB. */
static uint64_t status_bytes(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? (uint64_t)strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* One per process, as the memory is: the largest sum seen. */
static atomic_uint_least64_t memory_peak;

void os_sample_memory(void) {
    char text[4096];
    read_small("/proc/self/status", text, sizeof text);
    uint_least64_t now =
        status_bytes(text, "\nRssAnon:") + status_bytes(text, "\nRssShmem:");
    uint_least64_t peak = atomic_load(&memory_peak);
    while (now > peak && !atomic_compare_exchange_weak(&memory_peak, &peak, now))
        ;
}

uint64_t assay_peak_bytes(void) {
    os_sample_memory();
    return atomic_load(&memory_peak);
}

void os_large_pages(void *memory, size_t bytes) {
    const uintptr_t large = (uintptr_t)2 << 20;
    uintptr_t begin = ((uintptr_t)memory + large - 1) / large * large;
    uintptr_t end = ((uintptr_t)memory + bytes) / large * large;
    if (begin < end) /* whole ones inside only */
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void os_map_forget(os_map *m, size_t offset, size_t bytes) {
    if (!m->data || offset >= m->bytes)
        return;
    size_t end = bytes < m->bytes - offset ? offset + bytes : m->bytes;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t first = (offset + page - 1) / page * page; /* whole pages inside only */
    if (end != m->bytes)
        end = end / page * page;
    if (first < end)
        (void)madvise(m->data + first, end - first, MADV_DONTNEED);
}
