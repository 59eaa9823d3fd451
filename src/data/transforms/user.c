/* A function of the caller's own: handed to the loader by name, or out of a shared
 * object. */
#include "data/transform.h"

#include <dlfcn.h>
#include <string.h>

enum { HOOK, LIBRARY, SYMBOL };

typedef struct user_state {
    void *library; /* NULL: a hook */
    assay_hook_fn *fn;
    void *user;
} user_state;

static assay_status find_hook(transform_plan *p, user_state *s) {
    for (size_t i = 0; i < p->n_hooks; i++)
        if (strcmp(p->hooks[i].name, p->text[HOOK]) == 0) {
            s->fn = p->hooks[i].fn;
            s->user = p->hooks[i].user;
        }
    if (s->fn != NULL)
        return ASSAY_OK;
    err_set(ASSAY_E_NOTFOUND, "user: no hook is called '%s'", p->text[HOOK]);
    err_help("hand it to the loader in assay_load_options.hooks");
    return ASSAY_E_NOTFOUND;
}

static const char *loading_error(void) {
    const char *text = dlerror();
    return text != NULL ? text : "unknown";
}

static assay_status open_library(transform_plan *p, user_state *s) {
    const char *path = p->text[LIBRARY];
    if (p->text[SYMBOL] == NULL)
        return err_set(ASSAY_E_INVALID, "user: a library needs the function's name, too: "
                                        "user(library=./mine.so, symbol=darken)");
    if (strchr(path, '/') == NULL) {
        err_set(ASSAY_E_INVALID, "user: library '%s' is not a path", path);
        err_help("write ./%s: libraries are not searched for", path);
        return ASSAY_E_INVALID;
    }
    s->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (s->library == NULL)
        return err_set(ASSAY_E_NOTFOUND, "user: can't load %s: %s", path,
                       loading_error());
    void *found = dlsym(s->library, p->text[SYMBOL]);
    if (found == NULL)
        return err_set(ASSAY_E_NOTFOUND, "user: %s has no '%s': %s", path,
                       p->text[SYMBOL], loading_error());
    memcpy(&s->fn, &found, sizeof s->fn); /* POSIX: both are of one size */
    return ASSAY_OK;
}

static assay_status plan(transform_plan *p) {
    assay_status status = ASSAY_OK;
    if ((p->text[HOOK] == NULL) == (p->text[LIBRARY] == NULL))
        ASSAY_FAIL(ASSAY_E_INVALID, "user: give either hook=NAME or library=./FILE.so, "
                                    "symbol=NAME");
    ASSAY_TRY(mem_new(p->ctx, &p->state, 1, sizeof(user_state)));
    ASSAY_TRY(p->text[HOOK] != NULL ? find_hook(p, p->state) : open_library(p, p->state));
    p->out = p->in;
done:
    return status;
}

static void unplan(transform_plan *p) {
    user_state *s = p->state;
    if (s != NULL && s->library != NULL)
        (void)dlclose(s->library);
    mem_free(p->ctx, s);
    p->state = NULL;
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    const user_state *u = p->state;
    u->fn(u->user, src, dst, p->in.height, p->in.width, p->in.channels, rng_u64(&s->r),
          s->sample, s->epoch);
    return true;
}

/* There are no other words for it: this shows that the function is pure. */
static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    (void)apply(p, s, src, dst);
}

static const transform_arg args[] = {
    {.name = "hook"},
    {.name = "library"},
    {.name = "symbol"},
    {.name = NULL},
};

/* The walk over the registry offers a hook called "negate". */
static const transform_case cases[] = {
    {.args = "hook=negate", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "negate", .in = {28, 28, 1}, .out = {28, 28, 1}},
    {.args = "", .in = {8, 8, 3}, .refused = true},
    {.args = "hook=unheard_of", .in = {8, 8, 3}, .refused = true},
    {.args = "library=mine.so, symbol=f", .in = {8, 8, 3}, .refused = true},
    {.args = "library=/no/such.so, symbol=f", .in = {8, 8, 3}, .refused = true},
    {.args = "library=/no/such.so", .in = {8, 8, 3}, .refused = true},
    {.args = "hook=negate, library=/no/such.so, symbol=f",
     .in = {8, 8, 3},
     .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_user = {
    .name = "user",
    .summary = "calls a function of your own",
    .details = "hook: one that the program handed to the loader. library and symbol: one "
               "out of a shared object, given by a path; its signature is assay_hook_fn "
               "of assay/load.h. It must be pure: the same bytes for the same arguments.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .unplan = unplan,
    .apply = apply,
    .reference = reference,
    .cases = cases,
};
