/* The words of the verbs that edit .beton files. */
#include "cli/edits.h"

#include "cli/json.h"

void edits_tell(cli_run *run, const char *out, const assay_edit_result *r) {
    text *t = &run->result;
    if (!run->json) {
        text_add(t, "%s: %s rows (%s train), %d classes, %s\n", out,
                 words_count(r->rows).s, words_count(r->train_rows).s, r->classes,
                 words_bytes(r->bytes).s);
        text_add(t, "content sha256:%s\n", r->sha256);
        return;
    }
    json_open(t, NULL);
    json_string(t, "schema", "assay.edit/1");
    json_string(t, "file", out);
    json_string(t, "sha256", r->sha256);
    json_uint(t, "rows", r->rows);
    json_uint(t, "train_rows", r->train_rows);
    json_uint(t, "classes", (uint64_t)r->classes);
    json_uint(t, "bytes", r->bytes);
    json_close(t);
    text_add(t, "\n");
}
