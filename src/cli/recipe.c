/* Options about how models are trained. */
#include "cli/recipe.h"

#include <string.h>

int recipe_flip(const cli_args *args) {
    const char *flip = cli_text(args, "flip");
    return strcmp(flip, "auto") == 0 ? -1 : strcmp(flip, "on") == 0;
}

static const cli_value *typed(const cli_args *args, const char *name) {
    for (size_t i = 0; i < args->count; i++)
        if (args->value[i].origin == CLI_FROM_COMMAND_LINE &&
            strcmp(args->value[i].option->name, name) == 0)
            return &args->value[i];
    return NULL;
}

void recipe_settings(text *out, const cli_args *args) {
    const assay_setting *s;
    for (size_t i = 0; (s = assay_train_setting_at(i)) != NULL; i++) {
        const cli_value *v = typed(args, s->name);
        if (!v)
            continue;
        text_add(out, "%s%s=", out->used ? " " : "", s->name);
        if (v->option->type != CLI_LIST)
            text_add(out, "%s", v->text);
        for (size_t k = 0; k < v->list_count; k++)
            text_add(out, "%s%s", k ? ";" : "", v->list[k]);
    }
}
