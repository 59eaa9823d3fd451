/* A table of labelled sentences: the first byte says how cells are parted. What is read
 * has rows, classes and labels that agree, and becomes tokens. */
#include "data/text/sentences.h"
#include "fuzz.h"

#include <string.h>

enum { CONTEXT = 7, PAD = 256, START = 257 };

static void check(sentences *s) {
    tokenizer *t;
    int32_t in[CONTEXT];
    if (s->rows < 1 || s->classes < 2 || s->begin[s->rows] != s->text.len)
        abort();
    fuzz_must(tokenizer_train(&t, fuzz_ctx(), (tokenizer_wish){.kind = TOKENS_BYTE},
                              (const uint8_t *)"", 0));
    fuzz_must(sentences_cut(s, t, CONTEXT, PAD, START));
    for (size_t i = 0; i < s->rows; i++) {
        const uint32_t row = (uint32_t)i;
        if (s->begin[i] >= s->begin[i + 1] || s->label[i] < 0 ||
            s->label[i] >= s->classes)
            abort();
        sentences_feed(in, s, &row, 1);
        if (in[0] != START || in[1] != (uint8_t)s->text.data[s->begin[i]])
            abort();
    }
    tokenizer_destroy(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    sentences s;
    if (n == 0 || sentences_parse(&s, fuzz_ctx(), data + 1, n - 1,
                                  *data % 2 ? '\t' : ',') != ASSAY_OK)
        return 0;
    check(&s);
    sentences_free(&s);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char *const texts[] = {
        "\ta fine film\t1\nnot so\t0\r\n\nno \xC3\xA9\t3",
        ",label,id,sentence\nup,1,\"x, \"\"y\"\"\"\ndown,2,z\nup,3,w\n",
        "\ttext\tlabel\na\tb\nc\td\n"};
    if (i >= (int)(sizeof texts / sizeof *texts))
        return false;
    buf_str(out, texts[i]);
    return true;
}
