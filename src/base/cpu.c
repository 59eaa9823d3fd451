/* Detection of the instruction set, and the cap that the environment puts on it. */
#include "base/cpu.h"

#include <assay/base.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

cpu_isa cpu_detect(void) {
    unsigned a, b, c, d;
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
    __builtin_cpu_init();
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return CPU_NONE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return CPU_AVX2;
    return CPU_AVX512;
}
#else
cpu_isa cpu_detect(void) {
    return CPU_NONE;
}
#endif

static const char *const cpu_words[CPU_ISA_COUNT] = {"none", "avx2", "avx512"};

bool cpu_isa_parse(cpu_isa *out, const char *word) {
    for (int i = 0; i < CPU_ISA_COUNT; i++) {
        if (strcmp(word, cpu_words[i]) == 0) {
            *out = (cpu_isa)i;
            return true;
        }
    }
    return false;
}

const char *cpu_isa_word(cpu_isa isa) {
    return cpu_words[isa];
}

cpu_isa cpu_isa_used(void) {
    static atomic_int settled = -1; /* every thread would settle on the same value */
    int isa = atomic_load_explicit(&settled, memory_order_relaxed);
    if (isa < 0) {
        cpu_isa cap;
        const char *word = getenv("ASSAY_ISA");
        isa = (int)cpu_detect();
        if (word && cpu_isa_parse(&cap, word) && (int)cap < isa)
            isa = (int)cap;
        atomic_store_explicit(&settled, isa, memory_order_relaxed);
    }
    return (cpu_isa)isa;
}

const char *assay_isa_name(void) {
    return cpu_isa_word(cpu_isa_used());
}
