/* Detection of the instruction set, and the cap that the environment puts on it. */
#include "base/cpu.h"

#include "base/os.h"

#include <assay/base.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

static bool detect_crc32c(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2") != 0;
}

static bool detect_sha256(void) {
    unsigned a, b, c, d;
    return detect_crc32c() && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (b & bit_SHA) != 0;
}

static bool detect_amx(void) {
    enum { BF16_VECTORS = 1 << 5, BF16_TILES = 1 << 22, TILES = 1 << 24 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & BF16_VECTORS))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BF16_TILES) && (d & TILES) &&
           os_allow_tiles();
}

void cpu_model(char out[CPU_MODEL_TEXT]) {
    unsigned word[12];
    bool said = true;
    for (unsigned i = 0; said && i < 3; i++)
        said = __get_cpuid(0x80000002 + i, &word[4 * i], &word[4 * i + 1],
                           &word[4 * i + 2], &word[4 * i + 3]) != 0;
    memcpy(out, said ? (const void *)word : "?", said ? sizeof word : 2);
    out[CPU_MODEL_TEXT - 1] = '\0';
}

cpu_isa cpu_detect(void) {
    unsigned a, b, c, d;
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
    __builtin_cpu_init();
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
        return CPU_NONE;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq"))
        return CPU_AVX2;
    if (!__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("avx512vbmi2") ||
        !__builtin_cpu_supports("avx512vnni"))
        return CPU_AVX512;
    return CPU_AVX512V;
}
#else
void cpu_model(char out[CPU_MODEL_TEXT]) {
    memcpy(out, "?", 2);
}
static bool detect_crc32c(void) {
    return false;
}
static bool detect_sha256(void) {
    return false;
}
static bool detect_amx(void) {
    return false;
}
cpu_isa cpu_detect(void) {
    return CPU_NONE;
}
#endif

static const char *const cpu_words[CPU_ISA_COUNT] = {"none", "avx2", "avx512",
                                                      "avx512v"};

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

/* Bits of settled(); above them the instruction set. */
enum { KNOWN = 1, CRC32C = 2, SHA256 = 4, AMX = 8, ISA_SHIFT = 4 };

/* What to use, found out once: asking the processor is slow under virtual machines. Every
 * thread would find the same. */
static unsigned settled(void) {
    static atomic_uint found;
    unsigned use = atomic_load_explicit(&found, memory_order_relaxed);
    if (use == 0) {
        cpu_isa isa = cpu_detect(), cap;
        const char *word = getenv("ASSAY_ISA");
        if (word && cpu_isa_parse(&cap, word) && cap < isa)
            isa = cap;
        use = KNOWN | (unsigned)isa << ISA_SHIFT;
        if (isa != CPU_NONE)
            use |= (detect_crc32c() ? CRC32C : 0u) | (detect_sha256() ? SHA256 : 0u);
        if (isa == CPU_AVX512V && detect_amx())
            use |= AMX;
        atomic_store_explicit(&found, use, memory_order_relaxed);
    }
    return use;
}

cpu_isa cpu_isa_used(void) {
    return (cpu_isa)(settled() >> ISA_SHIFT);
}
bool cpu_has_crc32c(void) {
    return (settled() & CRC32C) != 0;
}
bool cpu_has_sha256(void) {
    return (settled() & SHA256) != 0;
}
bool cpu_amx(void) {
    return (settled() & AMX) != 0;
}

const char *assay_isa_name(void) {
    return cpu_isa_word(cpu_isa_used());
}
