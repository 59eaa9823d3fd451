/* A model's vocabulary (JSON), up to the first NUL, and a text behind it: what is read
 * can be written and read again, and what it encodes comes back. */
#include "data/text/tokenizer.h"
#include "fuzz.h"

#include <string.h>

static void round_trip(const tokenizer *t, const uint8_t *text, size_t n) {
    token_list l = {0};
    if (tokenizer_encode(t, &l, text, n) == ASSAY_OK) {
        size_t at = 0;
        for (size_t i = 0; i < l.count; i++) {
            size_t bytes;
            const uint8_t *said = tokenizer_bytes(t, l.token[i], &bytes);
            if (at + bytes > n || memcmp(said, text + at, bytes) != 0)
                abort();
            at += bytes;
        }
        if (at != n)
            abort();
    }
    token_list_free(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    tokenizer *t, *again;
    buf json = buf_make(fuzz_ctx());
    const uint8_t *end = n ? memchr(data, 0, n) : NULL;
    size_t bytes = end ? (size_t)(end - data) : n;
    if (tokenizer_read(&t, fuzz_ctx(), (const char *)data, bytes) != ASSAY_OK)
        return 0;
    fuzz_must(tokenizer_write(t, &json));
    fuzz_must(tokenizer_read(&again, fuzz_ctx(), json.data, json.len));
    if (tokenizer_count(again) != tokenizer_count(t))
        abort();
    round_trip(again, data + bytes, n - bytes);
    tokenizer_destroy(again);
    tokenizer_destroy(t);
    buf_free(&json);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char text[] = "the other, then these \xC3\xA9t\xC3\xA9  12\n";
    static const char *const kinds[] = {"byte", "char", "bpe:300"};
    tokenizer_wish wish;
    tokenizer *t;
    if (i >= (int)(sizeof kinds / sizeof *kinds))
        return false;
    fuzz_must(tokenizer_wish_of(&wish, kinds[i]));
    fuzz_must(tokenizer_train(&t, fuzz_ctx(), wish, (const uint8_t *)text, sizeof text));
    fuzz_must(tokenizer_write(t, out));
    tokenizer_destroy(t);
    buf_add(out, "\0", 1);
    buf_add(out, text, sizeof text);
    return true;
}
