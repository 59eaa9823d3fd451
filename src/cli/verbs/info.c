/* assay info: what a .beton file holds. */
#include "cli/cli.h"
#include "cli/json.h"

#include <assay/data.h>

#include <string.h>

static const cli_option options[] = {
    CLI_OPTION_RESULT, CLI_OPTION_FORCE, {.type = CLI_NONE}};

static void member(text *t, json_view object, const char *key) {
    json_words(t, json_member(object, key));
}

/* " 28 x 28 x 3", nothing for a scalar; a size that varies is "?". */
static void tell_shape(text *t, json_view shape) {
    json_view side = {NULL, NULL};
    bool first = true;
    while (json_next(shape, &side, NULL)) {
        text_add(t, first ? " " : " x ");
        if (json_has(side))
            json_words(t, side);
        else
            text_add(t, "?");
        first = false;
    }
}

static void tell_images(text *t, json_view images) {
    uint64_t jpg = json_whole(json_member(images, "jpg"), 0);
    uint64_t raw = json_whole(json_member(images, "raw"), 0);
    uint64_t low_w = json_whole(json_member(images, "min_width"), 0);
    uint64_t low_h = json_whole(json_member(images, "min_height"), 0);
    uint64_t high_w = json_whole(json_member(images, "max_width"), 0);
    uint64_t high_h = json_whole(json_member(images, "max_height"), 0);
    text_add(t, "; %s raw", words_count(raw).s);
    text_add(t, ", %s as JPEG", words_count(jpg).s);
    if (low_w != high_w)
        text_add(t, "; %s to %s wide", words_count(low_w).s, words_count(high_w).s);
    if (low_h != high_h)
        text_add(t, "; %s to %s high", words_count(low_h).s, words_count(high_h).s);
}

/* On a line of its own, below its column. */
static void tell_index(text *t, json_view field) {
    json_view index = json_member(field, "index");
    if (json_has(index)) {
        text_add(t, "\n    index of %s JPEGs, an entry every ",
                 words_count(json_whole(json_member(index, "images"), 0)).s);
        text_add(t, "%s blocks, ",
                 words_count(json_whole(json_member(index, "interval"), 0)).s);
        text_add(t, "%s, in ", words_bytes(json_whole(json_member(index, "bytes"), 0)).s);
        text_add(t, json_true(json_member(index, "beside")) ? "a file beside this one"
                                                            : "the file");
    }
    if (json_has(json_member(field, "note"))) {
        text_add(t, "\n    ");
        member(t, field, "note");
    }
}

static void tell_fields(text *t, json_view fields) {
    json_view field = {NULL, NULL};
    text_add(t, "fields\n");
    while (json_next(fields, &field, NULL)) {
        text_add(t, "  ");
        member(t, field, "name");
        text_pad(t, 20);
        member(t, field, "type");
        text_pad(t, 30);
        member(t, field, "dtype");
        tell_shape(t, json_member(field, "shape"));
        if (json_has(json_member(field, "images")))
            tell_images(t, json_member(field, "images"));
        tell_index(t, field);
        text_add(t, "\n");
    }
}

static void tell_classes(text *t, json_view classes) {
    size_t n = json_count(classes);
    if (n == 0)
        return;
    text line = {0};
    json_view class_name = {NULL, NULL};
    text_add(&line, "%zu: ", n);
    for (size_t i = 0; i < 20 && json_next(classes, &class_name, NULL); i++) {
        if (i > 0)
            text_add(&line, ", ");
        json_words(&line, class_name);
    }
    if (n > 20)
        text_add(&line, ", ...");
    text_add(t, "classes    ");
    text_fill(t, text_str(&line), 11, 79);
    text_add(t, "\n");
    t->failed |= line.failed;
    text_free(&line);
}

static void tell_splits(text *t, json_view splits) {
    json_view split = {NULL, NULL};
    while (json_next(splits, &split, NULL)) {
        uint64_t begin = json_whole(json_member(split, "begin"), 0);
        uint64_t end = json_whole(json_member(split, "end"), 0);
        member(t, split, "name");
        text_pad(t, 11);
        text_add(t, "%s rows from row %s\n", words_count(end - begin).s,
                 words_count(begin).s);
    }
}

static void tell(text *t, const char *path, const char *json) {
    json_view all = json_look(json);
    text_add(t, "%s\n", path);
    text_add(t, "format     beton version %s, pages of %s bytes\n",
             words_count(json_whole(json_member(all, "version"), 0)).s,
             words_count(json_whole(json_member(all, "page_size"), 0)).s);
    text_add(t, "samples    %s\n",
             words_count(json_whole(json_member(all, "num_samples"), 0)).s);
    tell_splits(t, json_member(all, "splits"));
    tell_classes(t, json_member(all, "classes"));
    if (json_has(json_member(all, "sha256"))) {
        text_add(t, "content    sha256:");
        member(t, all, "sha256");
        text_add(t, "\n");
    }
    tell_fields(t, json_member(all, "fields"));
}

static assay_status run(cli_run *run) {
    const char *path = run->args.positional[0];
    char *json = NULL;
    assay_status status = assay_beton_info(run->ctx, path, &json);
    if (status != ASSAY_OK)
        return status;
    if (run->json)
        text_put(&run->result, json, strlen(json));
    else
        tell(&run->result, path, json);
    assay_string_free(run->ctx, json);
    return ASSAY_OK;
}

const assay_verb assay_verb_info = {
    .name = "info",
    .group = CLI_LOOK,
    .summary = "Say what a .beton file holds",
    .description =
        "Shows the number of samples, the fields with their types and shapes, and, "
        "where assay wrote the file, splits, class names and the content's hash. "
        "Any .beton file of version 2 works, FFCV's too.",
    .options = options,
    .positionals = {{"FILE", "a .beton file", false}},
    .examples = {{"assay info photos.beton", "for a person"},
                 {"assay info photos.beton --json | jq .num_samples", "for a program"}},
    .result_to_file = true,
    .run = run,
};
