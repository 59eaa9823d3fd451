/* A transform out of a shared object, for the test of user(library=..., symbol=darken);
 * also an example: cc -shared -fPIC -o mine.so user_transform.c */
#include <assay/load.h>

assay_hook_fn darken;

void darken(void *user,
            const uint8_t *src,
            uint8_t *dst,
            int height,
            int width,
            int channels,
            uint64_t random,
            uint64_t sample,
            uint32_t epoch) {
    size_t n = (size_t)height * (size_t)width * (size_t)channels;
    int by = (int)(random % 64);
    (void)user;
    (void)sample;
    (void)epoch;
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)(src[i] > by ? src[i] - by : 0);
}
