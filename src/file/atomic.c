/* A file that appears whole or not at all. The temporary lies in the target's folder,
 * since rename is only atomic inside one file system. */
#include "file/atomic.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_TRIES = 100 };

/* A full disk and a file size limit are the same to a user: the output does not fit. */
static assay_status write_failed(int err, const char *path) {
    assay_status code = err == EFBIG ? ASSAY_E_NOSPC : ASSAY_E_IO;
    code = err_errno(code, err, "can't write the file");
    err_where("%s", path);
    if (code == ASSAY_E_NOSPC)
        err_help("free some space, or write to another disk");
    return code;
}

static void release(atomic_file *f) {
    if (f->path) {
        mem_free(f->ctx, f->path);
        mem_free(f->ctx, f->temporary);
    }
    *f = (atomic_file){.fd = -1};
}

assay_status atomic_open(atomic_file *f, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    *f = (atomic_file){.fd = -1, .ctx = ctx};
    size_t room = strlen(path) + 48;
    ASSAY_TRY(mem_strdup(ctx, &f->path, path));
    ASSAY_TRY(mem_new(ctx, &f->temporary, room, 1));
    if (os_is_dir(path)) {
        status = err_set(ASSAY_E_INVALID, "can't write the file: a folder has that name");
        err_where("%s", path);
        goto done;
    }
    for (int i = 0; f->fd < 0; i++) {
        (void)snprintf(f->temporary, room, "%s.tmp-%ld-%d", path, (long)getpid(), i);
        f->fd = open(f->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd < 0 && (errno != EEXIST || i >= TEMPORARY_TRIES)) {
            status = err_errno(ASSAY_E_INVALID, errno, "can't write the file");
            err_where("%s", path);
            err_help("check that the folder exists and can be written to");
            goto done;
        }
    }
done:
    if (status != ASSAY_OK)
        release(f);
    return status;
}

assay_status
atomic_write_at(atomic_file *f, uint64_t offset, const void *data, size_t bytes) {
    const char *p = data;
    if (offset > INT64_MAX || bytes > INT64_MAX - offset)
        return write_failed(EFBIG, f->path);
    while (bytes > 0) {
        ssize_t n = pwrite(f->fd, p, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return write_failed(n < 0 ? errno : EIO, f->path);
        p += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return ASSAY_OK;
}

assay_status atomic_write(atomic_file *f, const void *data, size_t bytes) {
    assay_status status = atomic_write_at(f, f->written, data, bytes);
    if (status == ASSAY_OK)
        f->written += bytes;
    return status;
}

/* Makes the rename itself survive a power cut. File systems that can't sync a folder, and
 * folders that can't be read, are left as they are: the data is safe under one name or
 * the other. */
static void sync_folder(char *path) {
    char *slash = strrchr(path, '/');
    const char *folder = ".";
    if (slash) {
        folder = slash == path ? "/" : path;
        *slash = '\0';
    }
    int fd = open(folder[0] ? folder : "/", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    if (slash)
        *slash = '/';
}

assay_status atomic_commit(atomic_file *f) {
    assay_status status = ASSAY_OK;
    int fd = f->fd;
    f->fd = -1;
    if (fsync(fd) != 0) {
        status = write_failed(errno, f->path);
        (void)close(fd);
        goto done;
    }
    if (close(fd) != 0) {
        status = write_failed(errno, f->path);
        goto done;
    }
    if (rename(f->temporary, f->path) != 0) {
        status =
            err_errno(ASSAY_E_INVALID, errno, "can't put the finished file in place");
        err_where("%s", f->path);
        goto done;
    }
    sync_folder(f->path);
done:
    if (status != ASSAY_OK)
        (void)unlink(f->temporary);
    release(f);
    return status;
}

void atomic_abandon(atomic_file *f) {
    if (!f->path)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    (void)unlink(f->temporary);
    release(f);
}

assay_status
atomic_put(assay_ctx *ctx, const char *path, const void *data, size_t bytes) {
    assay_status status = ASSAY_OK;
    atomic_file f;
    ASSAY_TRY(atomic_open(&f, ctx, path));
    ASSAY_TRY(atomic_write(&f, data, bytes));
    ASSAY_TRY(atomic_commit(&f));
done:
    atomic_abandon(&f);
    return status;
}

assay_status
append_line(assay_ctx *ctx, const char *path, const char *line, size_t bytes) {
    assay_status status = ASSAY_OK;
    struct stat before;
    ssize_t n;
    (void)ctx;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0 || fstat(fd, &before) != 0) {
        status = err_errno(ASSAY_E_INVALID, errno, "can't write the file");
        err_where("%s", path);
        goto done;
    }
    do
        n = write(fd, line, bytes);
    while (n < 0 && errno == EINTR);
    if (n < 0 || (size_t)n != bytes) {
        int err = n < 0 ? errno : ENOSPC;
        if (n > 0 && ftruncate(fd, before.st_size) != 0)
            err = errno; /* half a line stays; its reader skips what does not end in a
                            newline */
        status = write_failed(err, path);
    }
done:
    if (fd >= 0)
        (void)close(fd);
    return status;
}

/* Whether it ends in ".tmp-<digits>-<digits>". */
static bool temporary_name(const char *name) {
    const char *at = strstr(name, ".tmp-");
    if (!at || at == name)
        return false;
    at += 5;
    size_t process = strspn(at, "0123456789");
    if (process == 0 || at[process] != '-')
        return false;
    at += process + 1;
    size_t number = strspn(at, "0123456789");
    return number > 0 && !at[number];
}

assay_status atomic_sweep(assay_ctx *ctx, const char *folder) {
    assay_status status = ASSAY_OK;
    os_names names = {0};
    buf path = buf_make(ctx);
    if (!os_is_dir(folder))
        goto done;
    ASSAY_TRY(os_list_dir(ctx, folder, &names));
    for (size_t i = 0; i < names.count; i++) {
        if (!temporary_name(names.name[i]))
            continue;
        buf_clear(&path);
        buf_fmt(&path, "%s/%s", folder, names.name[i]);
        ASSAY_TRY(buf_check(&path));
        (void)unlink(path.data);
    }
done:
    os_names_free(&names);
    buf_free(&path);
    return status;
}
