/* idx, the format of MNIST: big-endian magic 00 00 08 nd, sizes, bytes. Images are idx3
 * (grey) or idx4 (last size 1 or 3), labels idx1; gzip and xz are unpacked. A folder of
 * up to two pairs, or one images file with its labels beside it. A classes.txt beside
 * them names the classes. */
#include "data/importer.h"

#include "base/hash.h"
#include "base/os.h"
#include "data/source/stream.h"

#include <stdio.h>
#include <string.h>

enum { HEADER_BYTES = 20, MAX_SIDE = 65535 };
static const uint64_t max_bytes = UINT64_C(1) << 33;

typedef struct idx_part {
    char *images_path, *labels_path;
    import_split split;
    uint8_t *images, *labels;
    uint64_t count;
    int width, height, channels;
} idx_part;

typedef struct idx {
    assay_ctx *ctx;
    idx_part part[2];
    int parts;
} idx;

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           (uint32_t)p[3];
}

/* ---- names ---- */

static bool is_packed_or_plain(const char *after) {
    return strcmp(after, "") == 0 || strcmp(after, ".gz") == 0 ||
           strcmp(after, ".xz") == 0;
}

/* "train-images-idx3-ubyte.gz": images or labels (`what`), of nd sizes, with any of the
 * joints that are in use. */
static bool named(const char *name, const char *what, int min_nd, int max_nd) {
    const char *at = strstr(name, what);
    if (at == NULL)
        return false;
    at += strlen(what);
    if (*at != '-' && *at != '.' && *at != '_')
        return false;
    if (strncmp(at + 1, "idx", 3) != 0 || at[4] < '0' + min_nd || at[4] > '0' + max_nd)
        return false;
    at += 5;
    if (*at != '\0' && strncmp(at + 1, "ubyte", 5) == 0)
        at += 6;
    return is_packed_or_plain(at);
}

static bool names_images(const char *name) {
    return named(name, "images", 3, 4);
}

static bool names_labels(const char *name) {
    return named(name, "labels", 1, 1);
}

static bool names_test(const char *name) {
    return strstr(name, "t10k") != NULL || strstr(name, "test") != NULL;
}

/* Whether two names agree but for their ends (".gz" or nothing) and, from `what` on,
 * their kind. */
static bool same_stem(const char *images, const char *labels) {
    size_t n = (size_t)(strstr(images, "images") - images);
    return strncmp(images, labels, n) == 0 && strncmp(labels + n, "labels", 6) == 0;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* ---- reading ---- */

static assay_status
wrong(const char *where, const char *fmt, unsigned long long a, unsigned long long b) {
    err_set(ASSAY_E_FORMAT, fmt, a, b);
    err_where("%s", where);
    return ASSAY_E_FORMAT;
}

/* The header: type u8, number of sizes, sizes. */
static assay_status read_header(stream *s, int *nd, uint32_t size[4]) {
    assay_status status = ASSAY_OK;
    uint8_t h[HEADER_BYTES];
    size_t got;
    ASSAY_TRY(stream_read(s, h, 4, &got));
    if (got < 4)
        return wrong(stream_name(s), "ends in its header, after %llu bytes", got, 0);
    if (h[0] != 0 || h[1] != 0)
        return wrong(stream_name(s), "not idx: starts with %02llx %02llx, not 00 00",
                     h[0], h[1]);
    if (h[2] != 0x08)
        return wrong(stream_name(s), "element type 0x%02llx where bytes (0x08) are read",
                     h[2], 0);
    if (h[3] < 1 || h[3] > 4)
        return wrong(stream_name(s), "%llu sizes in the header, 1 to 4 expected", h[3],
                     0);
    *nd = h[3];
    ASSAY_TRY(stream_read(s, h, (size_t)*nd * 4, &got));
    if (got < (size_t)*nd * 4)
        return wrong(stream_name(s), "ends in its header, after %llu bytes", 4 + got, 0);
    for (int i = 0; i < *nd; i++)
        size[i] = be32(h + 4 * i);
done:
    return status;
}

/* Exactly `want` bytes to the end of the data. */
static assay_status read_body(stream *s, uint64_t want, uint8_t **out) {
    assay_status status = ASSAY_OK;
    size_t got;
    if (want > max_bytes)
        return wrong(stream_name(s), "claims %llu bytes, more than the %llu read here",
                     want, max_bytes);
    ASSAY_TRY(stream_rest(s, (size_t)want, out, &got));
    if (got != want) {
        status = wrong(stream_name(s),
                       "holds %llu bytes of data where its header says %llu", got, want);
        err_help("the file is cut short; fetch it again");
    }
done:
    return status;
}

static assay_status read_images(idx_part *p, stream *s) {
    assay_status status = ASSAY_OK;
    int nd;
    uint32_t size[4] = {0};
    ASSAY_TRY(read_header(s, &nd, size));
    if (nd < 3)
        return wrong(stream_name(s), "%llu sizes: these are no images (3 or 4 expected)",
                     (unsigned)nd, 0);
    if (size[1] < 1 || size[1] > MAX_SIDE || size[2] < 1 || size[2] > MAX_SIDE)
        return wrong(stream_name(s), "images of %llu x %llu", size[2], size[1]);
    if (nd == 4 && size[3] != 1 && size[3] != 3)
        return wrong(stream_name(s), "%llu channels where 1 or 3 are read", size[3], 0);
    p->count = size[0];
    p->height = (int)size[1];
    p->width = (int)size[2];
    p->channels = nd == 4 ? (int)size[3] : 1;
    uint64_t each = (uint64_t)size[1] * size[2] * (uint64_t)p->channels;
    if (p->count > max_bytes / each)
        return wrong(stream_name(s),
                     "claims %llu images of %llu bytes each, more than is read here",
                     p->count, each);
    ASSAY_TRY(read_body(s, p->count * each, &p->images));
done:
    return status;
}

static assay_status read_labels(idx_part *p, stream *s, const char *images_name) {
    assay_status status = ASSAY_OK;
    int nd;
    uint32_t size[4] = {0};
    ASSAY_TRY(read_header(s, &nd, size));
    if (nd != 1)
        return wrong(stream_name(s), "%llu sizes: these are no labels (1 expected)",
                     (unsigned)nd, 0);
    if (size[0] != p->count) {
        char a[32], b[32];
        err_set(ASSAY_E_FORMAT, "%s labels for %s images", import_number(a, size[0]),
                import_number(b, p->count));
        err_where("%s beside %s", stream_name(s), base_name(images_name));
        err_help("the two files must be of the same set");
        return ASSAY_E_FORMAT;
    }
    ASSAY_TRY(read_body(s, size[0], &p->labels));
done:
    return status;
}

static assay_status read_part(idx_part *p, assay_ctx *ctx) {
    assay_status status = ASSAY_OK;
    stream *s = NULL;
    ASSAY_TRY(stream_open(&s, ctx, p->images_path));
    ASSAY_TRY(read_images(p, s));
    stream_close(s);
    s = NULL;
    ASSAY_TRY(stream_open(&s, ctx, p->labels_path));
    ASSAY_TRY(read_labels(p, s, p->images_path));
done:
    stream_close(s);
    return status;
}

/* ---- which files ---- */

static assay_status
take_part(idx *x, const char *folder, const char *images, const char *labels) {
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    import_split split = names_test(images) ? IMPORT_TEST : IMPORT_TRAIN;
    for (int i = 0; i < x->parts; i++)
        if (x->part[i].split == split) {
            err_set(ASSAY_E_FORMAT, "two sets of %s images: %s and %s",
                    import_split_name(split), base_name(x->part[i].images_path), images);
            err_where("%s", folder);
            err_help("name the images file that is meant");
            return ASSAY_E_FORMAT;
        }
    idx_part *p = &x->part[x->parts];
    *p = (idx_part){.split = split};
    x->parts++;
    ASSAY_TRY(import_path(path, folder, images));
    ASSAY_TRY(mem_strdup(x->ctx, &p->images_path, path));
    ASSAY_TRY(import_path(path, folder, labels));
    ASSAY_TRY(mem_strdup(x->ctx, &p->labels_path, path));
done:
    return status;
}

/* The labels that go with an images file among the names; plain before packed, as names
 * are sorted. */
static const char *find_labels(const os_names *names, const char *images) {
    for (size_t i = 0; i < names->count; i++)
        if (names_labels(names->name[i]) && same_stem(images, names->name[i]))
            return names->name[i];
    return NULL;
}

static assay_status no_labels(const char *folder, const char *images) {
    err_set(ASSAY_E_FORMAT, "no labels beside the images %s", images);
    err_where("%s", folder);
    err_help("put the labels file (…labels-idx1-ubyte) into the same folder");
    return ASSAY_E_FORMAT;
}

static assay_status find_in_folder(idx *x, const char *folder) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    const char *last = NULL;
    ASSAY_TRY(os_list_dir(x->ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.name[i];
        if (!names_images(name))
            continue;
        size_t n = last != NULL ? strlen(last) : 0;
        if (last != NULL && strncmp(last, name, n) == 0 && is_packed_or_plain(name + n))
            continue; /* the same, packed */
        last = name;
        const char *labels = find_labels(&names, name);
        if (labels == NULL) {
            status = no_labels(folder, name);
            goto done;
        }
        ASSAY_TRY(take_part(x, folder, name, labels));
    }
    if (x->parts == 0) {
        err_set(ASSAY_E_FORMAT, "no idx images in this folder");
        err_where("%s", folder);
        err_help("their names end in images-idx3-ubyte or images-idx3-ubyte.gz");
        status = ASSAY_E_FORMAT;
    }
done:
    os_names_free(&names);
    return status;
}

static assay_status find_beside(idx *x, const char *path) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    char folder[IMPORT_PATH_BYTES];
    const char *images = base_name(path);
    int n = snprintf(folder, sizeof folder, "%.*s", (int)(images - path), path);
    if (n < 0 || n >= (int)sizeof folder)
        ASSAY_FAIL(ASSAY_E_INVALID, "path of more than %d bytes", IMPORT_PATH_BYTES - 1);
    if (n == 0)
        snprintf(folder, sizeof folder, ".");
    if (strstr(images, "images") == NULL) {
        err_set(ASSAY_E_FORMAT, "not the name of an idx images file");
        err_where("%s", path);
        err_help(
            "it must hold the word 'images', so that the labels beside it can be found");
        status = ASSAY_E_FORMAT;
        goto done;
    }
    ASSAY_TRY(os_list_dir(x->ctx, folder, &names));
    const char *labels = find_labels(&names, images);
    status =
        labels == NULL ? no_labels(folder, images) : take_part(x, folder, images, labels);
done:
    os_names_free(&names);
    return status;
}

/* ---- class names ---- */

/* Fashion-MNIST is known by its labels: the class names are in its paper only (Xiao et
 * al. 2017, table 2). */
static const char *const fashion[10] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                        "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                        "Bag",         "Ankle boot"};
static const char *const fashion_labels[] = {
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"};

static bool is_fashion(const idx *x) {
    for (int i = 0; i < x->parts; i++) {
        hash_sha256 s;
        uint8_t digest[32];
        char hex[65];
        hash_sha256_init(&s);
        hash_sha256_add(&s, x->part[i].labels, (size_t)x->part[i].count);
        hash_sha256_end(&s, digest);
        hash_hex(hex, digest);
        if (strcmp(hex, fashion_labels[0]) != 0 && strcmp(hex, fashion_labels[1]) != 0)
            return false;
    }
    return true;
}

/* classes.txt beside the first images file: one name a line. *found = false if there is
 * none. */
static assay_status read_names(const idx *x, import_list *list, bool *found) {
    assay_status status = ASSAY_OK;
    char path[IMPORT_PATH_BYTES];
    uint8_t *text = NULL;
    size_t bytes = 0;
    const char *images = x->part[0].images_path;
    int n = snprintf(path, sizeof path, "%.*sclasses.txt",
                     (int)(base_name(images) - images), images);
    *found = n > 0 && n < (int)sizeof path && os_exists(path);
    if (!*found)
        return ASSAY_OK;
    ASSAY_TRY(os_read_file(x->ctx, path, 1 << 20, &text, &bytes));
    for (char *line = (char *)text; *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        char *next = line + len + strspn(line + len, "\r\n");
        line[len] = '\0';
        if (len > 0)
            ASSAY_TRY(import_add_class(list, line));
        line = next;
    }
done:
    mem_free(x->ctx, text);
    return status;
}

static assay_status name_classes(const idx *x, import_list *list) {
    assay_status status = ASSAY_OK;
    int most = -1;
    bool found;
    for (int i = 0; i < x->parts; i++)
        for (uint64_t k = 0; k < x->part[i].count; k++)
            most = x->part[i].labels[k] > most ? x->part[i].labels[k] : most;
    ASSAY_TRY(read_names(x, list, &found));
    if (found && (int)list->classes <= most) {
        err_set(ASSAY_E_FORMAT, "classes.txt names %d classes, the labels go to %d",
                (int)list->classes, most);
        err_where("%s", x->part[0].labels_path);
        return ASSAY_E_FORMAT;
    }
    bool known = !found && is_fashion(x);
    for (int c = 0; !found && c <= most; c++) {
        char number[16];
        snprintf(number, sizeof number, "%d", c);
        ASSAY_TRY(import_add_class(list, known && c < 10 ? fashion[c] : number));
    }
done:
    return status;
}

/* ---- the importer ---- */

static int detect(assay_ctx *ctx, const char *path) {
    int answer = 0;
    if (!os_is_dir(path))
        return names_images(base_name(path)) ? 20 : 0;
    os_names names = {0};
    if (os_list_dir(ctx, path, &names) == ASSAY_OK)
        for (size_t i = 0; i < names.count; i++)
            if (names_images(names.name[i]))
                answer = 20;
    os_names_free(&names);
    return answer;
}

static void close_idx(void *state) {
    idx *x = state;
    if (x == NULL)
        return;
    for (int i = 0; i < x->parts; i++) {
        mem_free(x->ctx, x->part[i].images_path);
        mem_free(x->ctx, x->part[i].labels_path);
        mem_free(x->ctx, x->part[i].images);
        mem_free(x->ctx, x->part[i].labels);
    }
    mem_free(x->ctx, x);
}

static assay_status
open_idx(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    idx *x = NULL;
    *state = NULL;
    ASSAY_TRY(mem_new(ctx, &x, 1, sizeof *x));
    x->ctx = ctx;
    ASSAY_TRY(os_is_dir(path) ? find_in_folder(x, path) : find_beside(x, path));
    for (int i = 0; i < x->parts; i++)
        ASSAY_TRY(read_part(&x->part[i], ctx));
    ASSAY_TRY(name_classes(x, list));
    for (int i = 0; i < x->parts; i++) {
        const idx_part *p = &x->part[i];
        for (uint64_t k = 0; k < p->count; k++) {
            char id[40];
            snprintf(id, sizeof id, "%s/%llu", import_split_name(p->split),
                     (unsigned long long)k);
            ASSAY_TRY(
                import_add(list, p->split, p->labels[k], (uint64_t)i << 56 | k, id));
        }
    }
    *state = x;
    x = NULL;
done:
    close_idx(x);
    return status;
}

static assay_status
fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    const idx *x = state;
    uint64_t ref = list->row[row].ref;
    const idx_part *p = &x->part[ref >> 56];
    out->raw = true;
    out->width = p->width;
    out->height = p->height;
    out->channels = p->channels;
    out->bytes = (size_t)p->width * (size_t)p->height * (size_t)p->channels;
    out->data = p->images + (size_t)(ref & 0xffffffffffffff) * out->bytes;
    return ASSAY_OK;
}

const data_importer assay_importer_idx = {
    .name = "idx",
    .summary = "MNIST's format: images-idx3-ubyte with labels-idx1-ubyte beside it, .gz "
               "and .xz too",
    .detect = detect,
    .open = open_idx,
    .fetch = fetch,
    .close = close_idx,
};
