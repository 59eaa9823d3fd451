/* Entropy decoding for any processor. */
#define JPG_ENTROPY jpg_entropy_c
#include "image/jpeg/entropy.inc"
