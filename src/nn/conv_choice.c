/* The rule, and the choices remembered and made. */
#include "nn/conv_choice.h"

#include "base/cpu.h"
#include "nn/choice_file.h"
#include "nn/conv_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Raised when a kernel changes so that old choices no longer hold. */
enum { KERNELS = 1 };

/* Where our own kernels were the faster ones: backward-weights everywhere, backward-data
 * nearly everywhere, forward where images are small or the filter makes strides. Thin or
 * few images leave tiles empty. */
conv_choice conv_choose_by_rule(const dn_conv_geometry *g, unsigned what) {
    conv_choice choice = {0};
    if (!amx_conv_can(g, what))
        return choice;
    const int64_t pixels = g->oh * g->ow;
    bool full = g->n >= 24 && g->c >= 24 && g->o >= 24;
    bool small = pixels <= 64 || (g->stride[0] > 1 && pixels <= 256);
    choice.own = full && (what != DN_FORWARD || small);
    choice.blocking = amx_conv_blocking(g, what);
    return choice;
}

/* Shapes that are worth a measurement: oneDNN has the others. */
static bool may_win(const dn_conv_geometry *g) {
    return g->n >= 16 && g->c >= 8 && g->o >= 8;
}

static const char *pass_name(unsigned what) {
    return what == DN_FORWARD         ? "forward"
           : what == DN_BACKWARD_DATA ? "backward-data"
                                      : "backward-weights";
}

static void key_of(char key[CHOICE_TEXT + 64], const dn_conv_geometry *g, unsigned what) {
    char model[CPU_MODEL_TEXT], version[24];
    cpu_model(model);
    snprintf(key, CHOICE_TEXT + 64,
             "%s, oneDNN %s, kernels %d: conv n%lld %lldx%lldx%lld -> %lldx%lldx%lld "
             "k%lldx%lld "
             "s%lldx%lld p%lld,%lld,%lld,%lld d%lldx%lld %s%s%s %s",
             model, dn_version(version), KERNELS, (long long)g->n, (long long)g->h,
             (long long)g->w, (long long)g->c, (long long)g->oh, (long long)g->ow,
             (long long)g->o, (long long)g->kh, (long long)g->kw, (long long)g->stride[0],
             (long long)g->stride[1], (long long)g->pad[0], (long long)g->pad[1],
             (long long)g->pad[2], (long long)g->pad[3], (long long)g->dilation[0],
             (long long)g->dilation[1], g->x_half ? "bf16" : "f32",
             g->y_half ? ">bf16" : ">f32", g->bias ? " bias" : "", pass_name(what));
}

/* "onednn", or "own GROUP BAND OUT IN", and whatever else behind a '#'. */
static bool read_choice(conv_choice *out,
                        const dn_conv_geometry *g,
                        unsigned what,
                        const char *text) {
    *out = (conv_choice){0};
    if (strncmp(text, "onednn", 6) == 0)
        return true;
    amx_blocking *b = &out->blocking;
    out->own = true;
    return sscanf(text, "own %4d %4d %4d %4d", &b->group, &b->band, &b->out_panels,
                  &b->in_panels) == 4 &&
           amx_conv_fits(g, what, b);
}

static void write_choice(char text[CHOICE_TEXT], const conv_choice *c) {
    const amx_blocking *b = &c->blocking;
    if (c->own)
        snprintf(text, CHOICE_TEXT, "own %d %d %d %d", b->group, b->band, b->out_panels,
                 b->in_panels);
    else
        snprintf(text, CHOICE_TEXT, "onednn");
}

/* Times the pass and leaves the choice in the cache. What another process has written
 * there meanwhile counts: `text` is what the cache says in the end. */
static assay_status measure(char text[CHOICE_TEXT],
                            assay_ctx *ctx,
                            dn_engine *engine,
                            const dn_conv_geometry *g,
                            unsigned what,
                            const char *cache,
                            const char *key) {
    assay_status status = ASSAY_OK;
    conv_trial *trial = NULL;
    conv_tuned tuned;
    int before = dn_enter();
    ASSAY_TRY(conv_trial_create(&trial, ctx, engine, g));
    ASSAY_TRY(conv_tune(&tuned, trial, what));
    write_choice(text, &tuned.best);
    size_t at = strlen(text);
    snprintf(text + at, CHOICE_TEXT - at, " # ours %.3f ms, oneDNN %.3f ms", tuned.own_ms,
             tuned.onednn_ms);
    if (choice_add(ctx, cache, key, text))
        (void)choice_find(text, ctx, cache, key);
done:
    dn_leave(before);
    conv_trial_destroy(trial);
    return status;
}

/* A choice that was made once: of the run, or of the cache. */
static const char *remembered(char text[CHOICE_TEXT],
                              conv_choice *out,
                              assay_ctx *ctx,
                              const dn_conv_geometry *g,
                              unsigned what,
                              const char *run_file,
                              const char *cache,
                              const char *key) {
    if (run_file && choice_find(text, ctx, run_file, key) &&
        read_choice(out, g, what, text))
        return "of this run";
    if (cache && choice_find(text, ctx, cache, key) && read_choice(out, g, what, text))
        return "timed before";
    return NULL;
}

assay_status conv_choose(conv_choice *out,
                         assay_ctx *ctx,
                         dn_engine *engine,
                         const dn_conv_geometry *g,
                         unsigned what,
                         const char *run_file) {
    assay_status status = ASSAY_OK;
    char key[CHOICE_TEXT + 64], text[CHOICE_TEXT], cache[4096];
    const char *word = getenv("ASSAY_KERNELS"), *why;
    *out = (conv_choice){0};
    if (!amx_conv_can(g, what))
        return ASSAY_OK;
    key_of(key, g, what);
    bool has_cache = false;
    if (word && strcmp(word, "onednn") == 0) {
        why = "ASSAY_KERNELS says so";
    } else if (word && strcmp(word, "own") == 0) {
        out->own = true;
        out->blocking = amx_conv_blocking(g, what);
        why = "ASSAY_KERNELS says so";
    } else if (!may_win(g)) {
        why = "too thin for tiles";
    } else {
        bool timed = !word || strcmp(word, "rule") != 0;
        has_cache = timed && choice_cache_path(cache, sizeof cache);
        why =
            remembered(text, out, ctx, g, what, run_file, has_cache ? cache : NULL, key);
        if (!why && has_cache) {
            ASSAY_TRY(measure(text, ctx, engine, g, what, cache, key));
            if (read_choice(out, g, what, text))
                why = "timed";
        }
        if (!why) {
            *out = conv_choose_by_rule(g, what);
            why = "by rule";
        }
        write_choice(text, out);
        char kept[CHOICE_TEXT];
        if (run_file && !choice_find(kept, ctx, run_file, key))
            (void)choice_add(ctx, run_file, key, text);
    }
    if (log_verbose_on(ctx, "dispatch")) {
        if (!has_cache || !choice_find(text, ctx, cache, key))
            write_choice(text, out);
        log_verbose(ctx, "dispatch", "%s: %s (%s)", strchr(key, ':') + 2, text, why);
    }
done:
    return status;
}
