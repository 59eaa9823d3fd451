/* What most verbs end with: the library's JSON, as it is or told in words. */
#include "cli/cli.h"

#include <assay/data.h>

#include <string.h>

assay_status cli_answer(cli_run *run, assay_status status, char *json, cli_tell *tell) {
    if (status == ASSAY_OK && run->json)
        text_put(&run->result, json, strlen(json));
    else if (status == ASSAY_OK)
        tell(&run->result, json);
    assay_string_free(run->ctx, json);
    return status;
}
