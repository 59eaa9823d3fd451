/* The importer of JSON Lines: an input becomes a .jsonl, packed or not, beside one image
 * and class names. Its first byte says how it is named and what class names are written
 * as. */
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const ends[] = {"", ".gz", ".zst"};
    if (n == 0)
        return 0;
    char name[32];
    data_source s = data_source_begin();
    (void)snprintf(name, sizeof name, "t.jsonl%s", ends[data[0] % 3]);
    data_source_put(&s, "a.jpg", "x", 1);
    if (data[0] / 3 % 2)
        data_source_put(&s, "classes.json", data + 1, n - 1 < 40 ? n - 1 : 40);
    data_source_put(&s, name, data + 1, n - 1);
    data_source_run(&s, "jsonl", name);
    data_source_end(&s);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const struct {
        uint8_t head;
        const char *text;
    } seeds[] = {
        {0, "{\"image\": \"a.jpg\", \"label\": \"x\", \"split\": \"val\", \"n\": 1}\n"},
        {0, "{\"text\": \"a\", \"label\": 3, \"f\": 1}\r\n\n"
            "{\"text\": \"\\u00e9\", \"label\": 0, \"f\": 1e3, \"more\": [{}]}"},
        {3, "{\"b\": 1, \"a\": 0}\n{\"b\": 2, \"a\": 0.5}\n"}};
    if (i < 0 || i >= (int)(sizeof seeds / sizeof seeds[0]))
        return false;
    buf_add(out, &seeds[i].head, 1);
    buf_str(out, seeds[i].text);
    return true;
}
