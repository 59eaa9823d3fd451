/* Which instruction set the kernels may use. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

typedef enum cpu_isa {
    CPU_NONE = 0,  /* what every processor of the architecture has */
    CPU_AVX2 = 1,  /* AVX2, FMA, F16C, BMI, BMI2 */
    CPU_AVX512 = 2, /* and AVX-512 F, BW, VL, DQ */
    CPU_AVX512V = 3 /* and AVX-512 VBMI, VBMI2, VNNI: bytes shuffled and multiplied */
} cpu_isa;
#define CPU_ISA_COUNT 4

cpu_isa cpu_detect(void); /* what processor and system offer */
/* "none", "avx2", "avx512", "avx512v"; false if it is none of these. */
bool cpu_isa_parse(cpu_isa *out, const char *word);
const char *cpu_isa_word(cpu_isa isa);
/* What to use: the detected one, lowered by the environment's ASSAY_ISA. Settled at first
 * use. */
cpu_isa cpu_isa_used(void);
/* Instructions for checksums. False when the instruction set in use is "none". */
bool cpu_has_crc32c(void);
bool cpu_has_sha256(void);
/* Matrix tiles for bf16 (AMX) and conversions to it. The first question asks the kernel
 * for the tiles' state, once per process; false below "avx512v". */
bool cpu_amx(void);
/* The processor's own name, "?" if it does not say. */
enum { CPU_MODEL_TEXT = 49 };
void cpu_model(char out[CPU_MODEL_TEXT]);

#endif
