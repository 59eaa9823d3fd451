/* Entropy decoding for processors with AVX2, all of which have BMI2. */
#define JPG_ENTROPY jpg_entropy_avx2
#include "image/jpeg/entropy.inc"
