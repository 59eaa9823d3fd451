/* The adapter to libjpeg-turbo (its libjpeg interface). libjpeg reports by jumping: one
 * setjmp, in jpeg_run, catches every error and every warning of a step. */
#include "image/inside.h"
#include "image/output.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    /* A coded block of 8 x 8 takes a bit at the very least, and the widest arrangement of
     * blocks (one component 4 x 1, one 1 x 4) spreads 9 of them over 32 x 32 pixels. */
    JPEG_PIXELS_PER_BYTE = 1024,
    JPEG_MAX_SCANS =
        200, /* a progressive file may hold many, each as costly as an image */
    JPEG_ROWS_AT_ONCE = 16,
    JPEG_CHUNK = 8192,
};

/* One call into libjpeg, with all that must survive a jump. */
typedef struct jpeg_job {
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    assay_status status; /* of a failure */
    assay_status (*step)(struct jpeg_job *);
    union {
        struct jpeg_common_struct common;
        struct jpeg_decompress_struct in;
        struct jpeg_compress_struct out;
    } u;

    /* decoding */
    image *image;
    image_info *info;
    bool fast_idct;
    const image_box *box;
    const row_sink *rows;
    /* encoding */
    struct jpeg_destination_mgr to;
    buf *sink;
    const uint8_t *pixels;
    int width, height, components, quality;
    bool chroma_420;
    uint8_t chunk[JPEG_CHUNK];
} jpeg_job;

static jpeg_job *job_of(j_common_ptr c) {
    return c->client_data;
}

static void on_error(j_common_ptr c) {
    char text[JMSG_LENGTH_MAX];
    jpeg_job *j = job_of(c);
    c->err->format_message(c, text);
    j->status =
        err_set(c->err->msg_code == JERR_OUT_OF_MEMORY ? ASSAY_E_NOMEM : ASSAY_E_FORMAT,
                "damaged JPEG: %s", text);
    longjmp(j->jump, 1);
}

/* Warnings (negative levels) tell of damage that libjpeg would paint over. */
static void on_message(j_common_ptr c, int level) {
    if (level < 0)
        on_error(c);
}

static void on_progress(j_common_ptr c) {
    jpeg_job *j = job_of(c);
    if (!c->is_decompressor || j->u.in.input_scan_number <= JPEG_MAX_SCANS)
        return;
    j->status =
        err_set(ASSAY_E_FORMAT, "damaged JPEG: more than %d scans", (int)JPEG_MAX_SCANS);
    longjmp(j->jump, 1);
}

static void job_begin(jpeg_job *j) {
    j->status = ASSAY_OK;
    j->u.common.err = jpeg_std_error(&j->error);
    j->error.error_exit = on_error;
    j->error.emit_message = on_message;
    j->progress.progress_monitor = on_progress;
    j->u.common.client_data = j;
}

/* Runs the job's step, however it ends. */
static assay_status jpeg_run(jpeg_job *j) {
    if (setjmp(j->jump) != 0)
        return j->status;
    return j->step(j);
}

/* ---- decoding ---- */

static assay_status read_header(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    (void)jpeg_read_header(d, TRUE);
    if (d->arith_code)
        return err_set(ASSAY_E_UNSUPPORTED, "a JPEG with arithmetic coding");
    return image_check_size(d->image_width, d->image_height);
}

static assay_status peek_step(jpeg_job *j) {
    const struct jpeg_decompress_struct *d = &j->u.in;
    assay_status status = read_header(j);
    if (status != ASSAY_OK)
        return status;
    j->info->width = (int)d->image_width;
    j->info->height = (int)d->image_height;
    j->info->components = d->num_components;
    j->info->progressive = d->progressive_mode;
    return ASSAY_OK;
}

/* Four inks to light: the share that passes the colour's ink times the share that passes
 * black. Adobe's files store the shares themselves, others the inks. */
static void from_cmyk(uint8_t *rgb, const uint8_t *cmyk, size_t pixels, bool shares) {
    unsigned flip = shares ? 0 : 255;
    for (size_t i = 0; i < pixels; i++, cmyk += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(((cmyk[c] ^ flip) * (cmyk[3] ^ flip) + 127) / 255);
}

static void read_rows(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    size_t stride = (size_t)d->output_width * 3;
    JSAMPROW rows[JPEG_ROWS_AT_ONCE];
    while (d->output_scanline < d->output_height) {
        JDIMENSION left = d->output_height - d->output_scanline;
        JDIMENSION n = left < JPEG_ROWS_AT_ONCE ? left : JPEG_ROWS_AT_ONCE;
        for (JDIMENSION i = 0; i < n; i++)
            rows[i] = j->image->rgb + (d->output_scanline + i) * stride;
        (void)jpeg_read_scanlines(d, rows, n);
    }
}

static void read_cmyk_rows(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    size_t stride = (size_t)d->output_width * 3;
    JSAMPARRAY row =
        d->mem->alloc_sarray((j_common_ptr)d, JPOOL_IMAGE,
                             d->output_width * (JDIMENSION)d->output_components, 1);
    while (d->output_scanline < d->output_height) {
        uint8_t *to = j->image->rgb + d->output_scanline * stride;
        (void)jpeg_read_scanlines(d, row, 1);
        from_cmyk(to, row[0], d->output_width, d->saw_Adobe_marker);
    }
}

static assay_status read_plausible_header(jpeg_job *j) {
    const struct jpeg_decompress_struct *d = &j->u.in;
    assay_status status = read_header(j);
    if (status != ASSAY_OK)
        return status;
    return image_check_plausible((uint64_t)d->image_width * d->image_height,
                                 d->src->bytes_in_buffer + 1, JPEG_PIXELS_PER_BYTE);
}

static bool is_cmyk(const struct jpeg_decompress_struct *d) {
    return d->jpeg_color_space == JCS_CMYK || d->jpeg_color_space == JCS_YCCK;
}

static void start_decoding(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    d->out_color_space = is_cmyk(d) ? JCS_CMYK : JCS_RGB;
    d->dct_method = j->fast_idct ? JDCT_IFAST : JDCT_ISLOW;
    d->do_fancy_upsampling = TRUE;
    d->progress = &j->progress;
    (void)jpeg_start_decompress(d);
}

static assay_status decode_step(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    assay_status status = read_plausible_header(j);
    if (status == ASSAY_OK)
        status =
            image_resize_storage(j->image, (int)d->image_width, (int)d->image_height);
    if (status != ASSAY_OK)
        return status;
    start_decoding(j);
    if (is_cmyk(d))
        read_cmyk_rows(j);
    else
        read_rows(j);
    (void)jpeg_finish_decompress(d);
    return ASSAY_OK;
}

/* Has libjpeg compute no columns but the window's and those around it that its
 * interpolation looks at; a cut edge is taken for the picture's own. Returns the first.
 */
static int crop_columns(struct jpeg_decompress_struct *d, const image_box *box) {
    int margin = d->max_h_samp_factor * DCTSIZE;
    int from = box->x > margin ? box->x - margin : 0;
    int room = (int)d->output_width - box->x - box->width;
    int to = box->x + box->width + (room > margin ? margin : room);
    JDIMENSION x = (JDIMENSION)from, width = (JDIMENSION)(to - from);
    if (width == d->output_width)
        return 0;
    jpeg_crop_scanline(d, &x, &width);
    return (int)x;
}

static assay_status rows_step(jpeg_job *j) {
    struct jpeg_decompress_struct *d = &j->u.in;
    const image_box *box = j->box;
    assay_status status = read_plausible_header(j);
    if (status == ASSAY_OK)
        status = image_check_box(box, (int)d->image_width, (int)d->image_height);
    if (status != ASSAY_OK)
        return status;
    start_decoding(j);
    bool cmyk = is_cmyk(d);
    size_t first = (size_t)(box->x - crop_columns(d, box));
    /* One byte off: to an aligned row libjpeg-turbo writes past the caches, and reading
     * it at once would wait for memory. */
    JSAMPROW row = d->mem->alloc_sarray(
                       (j_common_ptr)d, JPOOL_IMAGE,
                       d->output_width * (JDIMENSION)d->output_components + 1, 1)[0] +
                   1;
    if (box->y > 0)
        (void)jpeg_skip_scanlines(d, (JDIMENSION)box->y);
    for (int y = 0; y < box->height; y++) {
        size_t stride;
        (void)jpeg_read_scanlines(d, &row, 1);
        if (cmyk) /* in place: three bytes never overtake four */
            from_cmyk(row, row, d->output_width, d->saw_Adobe_marker);
        uint8_t *to = j->rows->get(j->rows->to, y, &stride);
        output_split(to, stride, row + 3 * first, (size_t)box->width);
        j->rows->put(j->rows->to, y, 0);
    }
    if (d->output_scanline == d->output_height)
        (void)jpeg_finish_decompress(d);
    return ASSAY_OK;
}

/* Makes the decompressor; a step of its own, since it can fail. */
static assay_status create_in(jpeg_job *j) {
    jpeg_create_decompress(&j->u.in);
    return ASSAY_OK;
}

static assay_status
read_file(jpeg_job *j, const uint8_t *data, size_t n, assay_status (*step)(jpeg_job *)) {
    job_begin(j);
    j->step = create_in;
    assay_status status = jpeg_run(j);
    if (status == ASSAY_OK) {
        jpeg_mem_src(&j->u.in, data, n);
        j->step = step;
        status = jpeg_run(j);
    }
    jpeg_destroy_decompress(&j->u.in);
    return status;
}

assay_status jpeg_peek(assay_ctx *ctx, const uint8_t *data, size_t n, image_info *info) {
    jpeg_job j;
    (void)ctx;
    memset(&j.u, 0, sizeof j.u);
    j.info = info;
    return read_file(&j, data, n, peek_step);
}

assay_status jpeg_decode(image *out, const uint8_t *data, size_t n, bool fast_idct) {
    jpeg_job j;
    memset(&j.u, 0, sizeof j.u);
    j.image = out;
    j.fast_idct = fast_idct;
    return read_file(&j, data, n, decode_step);
}

assay_status jpeg_decode_rows(const uint8_t *data,
                              size_t n,
                              const image_box *box,
                              const row_sink *sink) {
    jpeg_job j;
    memset(&j.u, 0, sizeof j.u);
    j.fast_idct = false;
    j.box = box;
    j.rows = sink;
    return read_file(&j, data, n, rows_step);
}

/* ---- encoding ---- */

static void sink_begin(j_compress_ptr c) {
    jpeg_job *j = c->client_data;
    j->to.next_output_byte = j->chunk;
    j->to.free_in_buffer = JPEG_CHUNK;
}

static boolean sink_full(j_compress_ptr c) {
    jpeg_job *j = c->client_data;
    buf_add(j->sink, j->chunk, JPEG_CHUNK);
    sink_begin(c);
    return TRUE;
}

static void sink_end(j_compress_ptr c) {
    jpeg_job *j = c->client_data;
    buf_add(j->sink, j->chunk, JPEG_CHUNK - j->to.free_in_buffer);
}

static assay_status encode_step(jpeg_job *j) {
    struct jpeg_compress_struct *c = &j->u.out;
    jpeg_create_compress(c);
    j->to.init_destination = sink_begin;
    j->to.empty_output_buffer = sink_full;
    j->to.term_destination = sink_end;
    c->dest = &j->to;
    c->image_width = (JDIMENSION)j->width;
    c->image_height = (JDIMENSION)j->height;
    c->input_components = j->components;
    c->in_color_space = j->components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, j->quality, TRUE);
    c->dct_method = JDCT_ISLOW;
    if (j->components == 3)
        c->comp_info[0].h_samp_factor = c->comp_info[0].v_samp_factor =
            j->chroma_420 ? 2 : 1;
    jpeg_start_compress(c, TRUE);
    size_t stride = (size_t)j->width * (size_t)j->components;
    while (c->next_scanline < c->image_height) {
        /* libjpeg reads the row only. */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(j->pixels + c->next_scanline * stride);
        (void)jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
    return buf_check(j->sink);
}

static assay_status encode(buf *out,
                           const uint8_t *pixels,
                           int width,
                           int height,
                           int components,
                           int quality,
                           bool chroma_420) {
    jpeg_job j;
    if (quality < 1 || quality > 100)
        return err_set(ASSAY_E_INVALID, "a JPEG quality of %d; from 1 to 100 is possible",
                       quality);
    if (width < 1 || height < 1 || width > JPEG_MAX_DIMENSION ||
        height > JPEG_MAX_DIMENSION)
        return err_set(ASSAY_E_SHAPE, "an image of %d x %d pixels can't be a JPEG", width,
                       height);
    memset(&j.u, 0, sizeof j.u);
    j.sink = out;
    j.pixels = pixels;
    j.width = width;
    j.height = height;
    j.components = components;
    j.quality = quality;
    j.chroma_420 = chroma_420;
    job_begin(&j);
    j.step = encode_step;
    assay_status status = jpeg_run(&j);
    jpeg_destroy_compress(&j.u.out);
    return status;
}

assay_status image_encode_jpeg(buf *out, const image *im, int quality, bool chroma_420) {
    return encode(out, im->rgb, im->width, im->height, 3, quality, chroma_420);
}

assay_status image_encode_jpeg_gray(
    buf *out, const uint8_t *gray, int width, int height, int quality) {
    return encode(out, gray, width, height, 1, quality, false);
}
