/* Reading pipelines, and the named ones. */
#include "data/load/pipeline.h"

#include <stdio.h>
#include <string.h>

/* ---- presets ---- */

static const struct preset {
    const char *name, *text;
} presets[] = {
    {"rrc224-f32", "image: random_resized_crop(224, scale=0.08:1) | flip(0.5) | "
                   "normalize(imagenet) ; label"},
    {"rrc224-u8", "image: random_resized_crop(224, scale=0.08:1) | flip(0.5) ; label"},
    {"cifar-f32", "image: flip(0.5) | translate(2, fill=125:122:113) | "
                  "cutout(4, fill=125:122:113) | normalize(cifar10) ; label"},
    {"cifar-u8", "image: flip(0.5) | translate(2, fill=125:122:113) | "
                 "cutout(4, fill=125:122:113) ; label"},
};

const char *assay_pipeline_preset(const char *name) {
    for (size_t i = 0; name != NULL && i < sizeof presets / sizeof presets[0]; i++)
        if (strcmp(presets[i].name, name) == 0)
            return presets[i].text;
    return NULL;
}

/* ---- reading ---- */

/* A piece of the text, [at, end). */
typedef struct span {
    const char *at, *end;
} span;

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static span trim(span s) {
    while (s.at < s.end && is_space(*s.at))
        s.at++;
    while (s.end > s.at && is_space(s.end[-1]))
        s.end--;
    return s;
}

/* Cuts off what comes before the first of `stops` outside of parentheses; `rest` begins
 * behind it. False: none came, all of it was taken. */
static bool cut(span *rest, span *piece, const char *stops) {
    int depth = 0;
    const char *p = rest->at;
    for (; p < rest->end; p++) {
        if (*p == '(')
            depth++;
        else if (*p == ')' && depth > 0)
            depth--;
        else if (depth == 0 && strchr(stops, *p) != NULL)
            break;
    }
    *piece = trim((span){rest->at, p});
    bool found = p < rest->end;
    rest->at = found ? p + 1 : p;
    return found;
}

static assay_status take_name(char out[PIPELINE_NAME], span s, const char *what) {
    size_t n = (size_t)(s.end - s.at);
    if (n == 0)
        return err_set(ASSAY_E_INVALID, "the %s's name is missing", what);
    if (n >= PIPELINE_NAME)
        return err_set(ASSAY_E_INVALID,
                       "the %s's name has %zu characters, at most %d can", what, n,
                       PIPELINE_NAME - 1);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s.at[i] < 0x20 || strchr("()|;=:", s.at[i]) != NULL)
            return err_set(ASSAY_E_INVALID, "'%.*s' is no name of a %s", (int)n, s.at,
                           what);
    memcpy(out, s.at, n);
    out[n] = '\0';
    return ASSAY_OK;
}

void pipeline_where(const pipeline_output *o, int step) {
    if (step >= 0 && step < o->steps && o->step[step].transform != NULL)
        err_where("output '%s', step %d (%s)", o->name, step + 1,
                  o->step[step].transform->name);
    else if (step >= 0)
        err_where("output '%s', step %d", o->name, step + 1);
    else
        err_where("output '%s'", o->name);
}

/* `word` or `word(args)`. */
static assay_status take_step(pipeline *p, pipeline_output *o, span s) {
    assay_status status = ASSAY_OK;
    char name[PIPELINE_NAME];
    span word = s, args = {s.end, s.end};
    const char *open = s.at;
    while (open < s.end && *open != '(')
        open++;
    if (open < s.end) {
        if (s.end[-1] != ')')
            ASSAY_FAIL(ASSAY_E_INVALID, "'%.*s' lacks the closing parenthesis",
                       (int)(s.end - s.at), s.at);
        word.end = open;
        args = (span){open + 1, s.end - 1};
    }
    ASSAY_TRY(take_name(name, trim(word), "step"));
    pipeline_step *step = &o->step[o->steps - 1];
    ASSAY_TRY(transform_find(&step->transform, name));
    step->plan.ctx = p->ctx;
    ASSAY_TRY(transform_args_parse(&step->plan, step->transform, args.at,
                                   (size_t)(args.end - args.at)));
done:
    return status;
}

static assay_status
take_steps(pipeline *p, pipeline_output *o, span rest, const transform_plan *start) {
    assay_status status = ASSAY_OK;
    span piece;
    bool more = true;
    ASSAY_TRY(mem_new(p->ctx, &o->step, PIPELINE_STEPS, sizeof *o->step));
    while (more) {
        more = cut(&rest, &piece, "|");
        if (o->steps == PIPELINE_STEPS)
            ASSAY_FAIL(ASSAY_E_INVALID, "more than %d steps", PIPELINE_STEPS);
        o->step[o->steps++].plan = *start;
        ASSAY_TRY(take_step(p, o, piece));
    }
done:
    if (status != ASSAY_OK)
        pipeline_where(o, o->steps - 1);
    return status;
}

static assay_status new_output(pipeline *p, pipeline_output **out) {
    assay_status status = ASSAY_OK;
    if (p->outputs == PIPELINE_OUTPUTS)
        ASSAY_FAIL(ASSAY_E_INVALID, "more than %d outputs", PIPELINE_OUTPUTS);
    ASSAY_TRY(mem_grow(p->ctx, &p->output, (size_t)p->outputs, &p->cap,
                       (size_t)p->outputs + 1, sizeof *p->output));
    *out = &p->output[p->outputs++];
    memset(*out, 0, sizeof **out);
done:
    return status;
}

static assay_status check_unique(const pipeline *p) {
    const pipeline_output *last = &p->output[p->outputs - 1];
    for (int i = 0; i + 1 < p->outputs; i++)
        if (strcmp(p->output[i].name, last->name) == 0) {
            err_set(ASSAY_E_INVALID, "two outputs are called '%s'", last->name);
            err_help("give one another name: `view2 = %s: ...`", last->field);
            return ASSAY_E_INVALID;
        }
    return ASSAY_OK;
}

static assay_status take_output(pipeline *p, span s, const transform_plan *start) {
    assay_status status = ASSAY_OK;
    pipeline_output *o;
    span head, piece;
    ASSAY_TRY(new_output(p, &o));
    bool steps = cut(&s, &head, ":");
    if (cut(&head, &piece, "=")) {
        ASSAY_TRY(take_name(o->name, piece, "output"));
        ASSAY_TRY(take_name(o->field, trim(head), "field"));
    } else {
        ASSAY_TRY(take_name(o->field, piece, "field"));
        memcpy(o->name, o->field, sizeof o->name);
    }
    ASSAY_TRY(check_unique(p));
    if (steps)
        ASSAY_TRY(take_steps(p, o, s, start));
done:
    return status;
}

assay_status pipeline_add(pipeline *p, const char *field) {
    assay_status status = ASSAY_OK;
    pipeline_output *o;
    ASSAY_TRY(new_output(p, &o));
    snprintf(o->field, sizeof o->field, "%s", field);
    memcpy(o->name, o->field, sizeof o->name);
done:
    return status;
}

assay_status pipeline_parse(pipeline *out,
                            assay_ctx *ctx,
                            const char *text,
                            const assay_hook *hooks,
                            size_t n_hooks) {
    assay_status status = ASSAY_OK;
    transform_plan start = {.hooks = hooks, .n_hooks = n_hooks};
    *out = (pipeline){.ctx = ctx};
    const char *preset = assay_pipeline_preset(text);
    if (preset != NULL) {
        text = preset;
        out->preset = true;
    }
    size_t n = strlen(text);
    if (n > PIPELINE_TEXT)
        ASSAY_FAIL(ASSAY_E_INVALID, "a pipeline of %zu characters", n);
    span rest = {text, text + n}, piece;
    bool more = true;
    while (more) {
        more = cut(&rest, &piece, ";\n");
        if (piece.at < piece.end)
            ASSAY_TRY(take_output(out, piece, &start));
    }
    if (out->outputs == 0) {
        status = err_set(ASSAY_E_INVALID, "the pipeline is empty");
        err_help("write `field: step | step`, or the name of a preset: rrc224-f32, "
                 "rrc224-u8, cifar-f32, cifar-u8");
    }
done:
    if (status != ASSAY_OK) {
        err_where("pipeline");
        pipeline_free(out);
    }
    return status;
}

void pipeline_free(pipeline *p) {
    for (int i = 0; i < p->outputs; i++) {
        pipeline_output *o = &p->output[i];
        for (int k = 0; k < o->steps; k++) {
            pipeline_step *s = &o->step[k];
            if (s->planned && s->transform->unplan != NULL)
                s->transform->unplan(&s->plan);
            transform_args_free(&s->plan);
        }
        mem_free(p->ctx, o->step);
    }
    mem_free(p->ctx, p->output);
    *p = (pipeline){0};
}
