/* The importer of tables: an input becomes a .csv or a .tsv, packed or not, beside one
 * image and class names. Its first byte says how the table is named and whether there are
 * names of classes. */
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
    (void)snprintf(name, sizeof name, "t.%csv%s", data[0] / 3 % 2 ? 't' : 'c',
                   ends[data[0] % 3]);
    data_source_put(&s, "a.jpg", "x", 1);
    if (data[0] / 6 % 2)
        data_source_put(&s, "classes.txt", "b\na\n", 4);
    data_source_put(&s, name, data + 1, n - 1);
    data_source_run(&s, "csv", name);
    data_source_end(&s);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const struct {
        uint8_t head;
        const char *text;
    } seeds[] = {
        {0, "path,label,split,n,f,rest\r\na.jpg,b,test,1,2.5,\"x\"\"\ny\"\r\n"},
        {6, "\xEF\xBB\xBFtext,class,n\n\"a, b\",b,-1\nc,a,9223372036854775807\n"},
        {3, "a text\t1\nanother\t0\n"}};
    if (i < 0 || i >= (int)(sizeof seeds / sizeof seeds[0]))
        return false;
    buf_add(out, &seeds[i].head, 1);
    buf_str(out, seeds[i].text);
    return true;
}
