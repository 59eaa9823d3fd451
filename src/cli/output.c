/* Where a verb's result goes: whole, or not at all. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return errno;
        bytes += w;
        n -= (size_t)w;
    }
    return 0;
}

static assay_status failed(cli_error *e, int err, const char *path, const char *what) {
    bool full = err == ENOSPC || err == EDQUOT;
    assay_status status = cli_fail(e, full ? ASSAY_E_NOSPC : ASSAY_E_INVALID, "%s: %s",
                                   what, strerror(err));
    cli_fail_where(e, "%s", path);
    if (err == EEXIST)
        cli_fail_help(e, "choose another name, or pass -f to overwrite it");
    return status;
}

assay_status cli_output_check(const char *path, bool force, cli_error *e) {
    assay_status status = ASSAY_OK;
    text folder = {0};
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!path || strcmp(path, "-") == 0)
        return ASSAY_OK;
    if (!force && access(path, F_OK) == 0)
        return failed(e, EEXIST, path, "can't write the file");
    if (slash == path)
        text_add(&folder, "/");
    else if (slash)
        text_put(&folder, path, (size_t)(slash - path));
    else
        text_add(&folder, ".");
    if (access(text_str(&folder), W_OK) != 0) {
        status = failed(e, errno, path, "can't write the file");
        cli_fail_help(e, "make the folder %s, or choose another", text_str(&folder));
    }
    text_free(&folder);
    return status;
}

assay_status
cli_output_write(const text *result, const char *path, bool force, cli_error *e) {
    if (result->failed)
        return cli_fail(e, ASSAY_E_NOMEM, "no memory for the result");
    if (!path || strcmp(path, "-") == 0) {
        int err = write_all(STDOUT_FILENO, text_str(result), result->used);
        return err ? failed(e, err, "standard output", "can't write the result")
                   : ASSAY_OK;
    }
    int flags = O_WRONLY | O_CREAT | (force ? O_TRUNC : O_EXCL);
    int fd = open(path, flags, 0666);
    if (fd < 0)
        return failed(e, errno, path, "can't write the result");
    int err = write_all(fd, text_str(result), result->used);
    if (close(fd) != 0 && !err)
        err = errno;
    if (err) {
        (void)unlink(path);
        return failed(e, err, path, "can't write the result");
    }
    return ASSAY_OK;
}
