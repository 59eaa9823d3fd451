/* Options about how models are trained. */
#include "cli/recipe.h"

#include <string.h>

int recipe_flip(const cli_args *args) {
    const char *flip = cli_text(args, "flip");
    return strcmp(flip, "auto") == 0 ? -1 : strcmp(flip, "on") == 0;
}
