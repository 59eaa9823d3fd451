/* The options of packing. */
#include "data/pack/pack.h"

#include "base/options.h"
#include "base/os.h"

#include <string.h>

static const uint64_t default_page = 1 << 23, least_page = 1 << 21;

static assay_status bad_option(const char *what, const char *help) {
    err_set(ASSAY_E_INVALID, "%s", what);
    err_help("%s", help);
    return ASSAY_E_INVALID;
}

assay_status pack_take_options(packer *p, const assay_pack_options *given) {
    assay_status status = ASSAY_OK;
    assay_pack_options *o = &p->o;
    *o = (assay_pack_options)ASSAY_PACK_OPTIONS_INIT;
    ASSAY_TRY(options_take(o, sizeof *o, given, "assay_pack_options"));
    p->fit_page = o->page_size == 0;
    if (p->fit_page)
        o->page_size = default_page;
    if (o->limit < 0)
        return bad_option("a limit can't be negative", "0 means no limit");
    if (o->index_interval < -1 || o->index_interval > 64)
        return bad_option("an index has an entry every 1 to 64 blocks",
                          "8 is usual, and -1 means no index");
    if ((o->page_size & (o->page_size - 1)) != 0 || o->page_size < least_page ||
        o->page_size >= UINT64_C(1) << 32)
        return bad_option("a page is a power of two from 2 MiB to 2 GiB",
                          "8 MiB is usual");
    p->encode = (encode_options){.quality = o->quality,
                                 .max_resolution = o->max_resolution,
                                 .smart_threshold = o->smart_threshold,
                                 .proportion = o->proportion,
                                 .seed = o->seed};
    ASSAY_TRY(encode_options_make(&p->encode, o->mode));
done:
    return status;
}

assay_status pack_check_output(const char *out, bool force) {
    if (!os_exists(out))
        return ASSAY_OK;
    if (os_is_dir(out))
        err_set(ASSAY_E_INVALID, "the output is a folder");
    else if (!force)
        err_set(ASSAY_E_INVALID, "the output exists already");
    else
        return ASSAY_OK;
    err_where("%s", out);
    err_help("pass --force to replace a file, or another name");
    return ASSAY_E_INVALID;
}
