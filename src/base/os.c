/* The operating system as POSIX describes it. What only Linux has is in os_linux.c. */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_DEPTH 64

static uint64_t clock_ns(clockid_t which) {
    struct timespec t = {0};
    (void)clock_gettime(which, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t os_now_ns(void) {
    return clock_ns(CLOCK_MONOTONIC);
}
uint64_t os_cpu_ns(void) {
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}
uint64_t os_thread_cpu_ns(void) {
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- reading ---- */

static assay_status open_failed(const char *path) {
    int err = errno;
    assay_status status = err == ENOENT || err == ENOTDIR ? ASSAY_E_NOTFOUND : ASSAY_E_IO;
    status = err_errno(status, err, "can't open");
    err_where("%s", path);
    return status;
}

/* A descriptor whose kind is known; folders and such are refused. */
static assay_status open_file(int *fd, struct stat *st, const char *path, int flags) {
    *fd = open(path, flags | O_CLOEXEC);
    if (*fd < 0)
        return open_failed(path);
    assay_status status = ASSAY_OK;
    if (fstat(*fd, st) != 0)
        status = err_errno(ASSAY_E_IO, errno, "can't look at");
    else if (S_ISDIR(st->st_mode))
        status = err_set(ASSAY_E_IO, "is a folder, not a file");
    if (status != ASSAY_OK) {
        err_where("%s", path);
        (void)close(*fd);
        *fd = -1;
    }
    return status;
}

assay_status os_read_file(
    assay_ctx *ctx, const char *path, size_t limit, uint8_t **out, size_t *bytes) {
    assay_status status = ASSAY_OK;
    uint8_t *data = NULL;
    size_t used = 0, cap = 0;
    int fd = -1;
    struct stat st;
    *out = NULL;
    *bytes = 0;
    ASSAY_TRY(open_file(&fd, &st, path, O_RDONLY));
    /* One allocation when the size is told truly; pipes and /proc tell 0 and grow. */
    size_t told = st.st_size > 0 ? (size_t)st.st_size : 0;
    if (told > limit) {
        used = told;
        goto too_large;
    }
    ASSAY_TRY_AT(mem_grow(ctx, &data, 0, &cap, told + 2, 1), "%s", path);
    for (;;) {
        if (cap - used < 2)
            ASSAY_TRY_AT(mem_grow(ctx, &data, used, &cap, used + 65536, 1), "%s", path);
        ssize_t n = read(fd, data + used, cap - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = err_errno(ASSAY_E_IO, errno, "can't read");
            err_where("%s: byte %zu", path, used);
            goto done;
        }
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > limit)
            goto too_large;
    }
    data[used] = '\0';
    *out = data;
    *bytes = used;
    data = NULL;
    goto done;
too_large:
    status = err_set(ASSAY_E_FORMAT, "more than the %zu bytes allowed here", limit);
    err_where("%s", path);
done:
    if (fd >= 0)
        (void)close(fd);
    mem_free(ctx, data);
    return status;
}

/* ---- mapping ---- */

/* Maps a file of known size, whose descriptor it takes. */
static assay_status
map_open(os_map *out, int fd, const struct stat *st, const char *path, bool writable) {
    assay_status status = ASSAY_OK;
    if (!S_ISREG(st->st_mode)) {
        status = err_set(ASSAY_E_IO, "is not a regular file");
    } else if (st->st_size > 0) {
        int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
        void *data = mmap(NULL, (size_t)st->st_size, prot, MAP_SHARED, fd, 0);
        if (data == MAP_FAILED) {
            status = err_errno(ASSAY_E_IO, errno, "can't map");
        } else {
            out->data = data;
            out->bytes = (size_t)st->st_size;
        }
    }
    if (status != ASSAY_OK) {
        err_where("%s", path);
        (void)close(fd);
        return status;
    }
    out->fd = fd;
    return ASSAY_OK;
}

assay_status os_map_file(os_map *out, const char *path, bool writable) {
    *out = (os_map){.fd = -1, .writable = writable};
    struct stat st;
    int fd;
    assay_status status = open_file(&fd, &st, path, writable ? O_RDWR : O_RDONLY);
    return status != ASSAY_OK ? status : map_open(out, fd, &st, path, writable);
}

assay_status os_map_fd(os_map *out, int fd, const char *path) {
    *out = (os_map){.fd = -1};
    struct stat st;
    if (fstat(fd, &st) != 0) {
        assay_status status = err_errno(ASSAY_E_IO, errno, "can't look at");
        err_where("%s", path);
        (void)close(fd);
        return status;
    }
    return map_open(out, fd, &st, path, false);
}

void os_unmap(os_map *m) {
    if (m->data)
        (void)munmap(m->data, m->bytes);
    if (m->fd > 0 || (m->fd == 0 && m->data)) /* a zeroed map has no file 0 */
        (void)close(m->fd);
    *m = (os_map){.fd = -1};
}

assay_status os_map_sync(os_map *m, const char *path) {
    if ((m->data && msync(m->data, m->bytes, MS_SYNC) != 0) || fsync(m->fd) != 0) {
        assay_status status = err_errno(ASSAY_E_INVALID, errno, "can't write");
        err_where("%s", path);
        return status;
    }
    return ASSAY_OK;
}

assay_status os_new_large(assay_ctx *ctx, void *out, size_t bytes) {
    uint8_t *memory = mem_alloc(ctx, bytes);
    memcpy(out, &memory, sizeof memory); /* of a pointer of any type, as in mem_new */
    if (!memory)
        return err_set(ASSAY_E_NOMEM, "no memory for %zu bytes", bytes);
    os_large_pages(memory, bytes);
    memset(memory, 0, bytes);
    return ASSAY_OK;
}

/* ---- files without a name ---- */

static const char *temporary_folder(void) {
    static const char *const names[] = {"ASSAY_CACHE", "TMPDIR"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *folder = getenv(names[i]);
        if (folder != NULL && folder[0] != '\0')
            return folder;
    }
    return "/tmp";
}

assay_status os_temporary(int *fd) {
    char path[4096];
    const char *folder = temporary_folder();
    *fd = -1;
    int n = snprintf(path, sizeof path, "%s/assay-XXXXXX", folder);
    if (n < 0 || n >= (int)sizeof path)
        return err_set(ASSAY_E_INVALID, "the temporary folder's name is too long");
    *fd = mkstemp(path);
    if (*fd < 0 || unlink(path) != 0 || fcntl(*fd, F_SETFD, FD_CLOEXEC) != 0) {
        assay_status status =
            err_errno(ASSAY_E_INVALID, errno, "can't make a temporary file");
        err_where("%s", folder);
        err_help("set TMPDIR to a folder that can be written to");
        if (*fd >= 0)
            (void)close(*fd);
        *fd = -1;
        return status;
    }
    return ASSAY_OK;
}

assay_status os_append(int fd, const void *data, size_t bytes) {
    const char *p = data;
    while (bytes > 0) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int err = n < 0 ? errno : EIO;
            assay_status status = err_errno(err == EFBIG ? ASSAY_E_NOSPC : ASSAY_E_IO,
                                            err, "can't write a temporary file");
            err_where("%s", temporary_folder());
            err_help("free some space, or set TMPDIR to a larger disk");
            return status;
        }
        p += n;
        bytes -= (size_t)n;
    }
    return ASSAY_OK;
}

/* ---- folders ---- */

bool os_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

bool os_is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

assay_status os_mkdirs(const char *path) {
    char part[4096];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return err_set(ASSAY_E_INVALID, "a folder's name of %zu bytes can't be made", n);
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        char kept = part[i];
        part[i] = '\0';
        if (mkdir(part, 0777) != 0) {
            int err = errno;
            if (!os_is_dir(part)) {
                assay_status status =
                    err_errno(ASSAY_E_INVALID, err, "can't make the folder");
                err_where("%s", part);
                return status;
            }
        }
        part[i] = kept;
    }
    return ASSAY_OK;
}

/* Removes `name` in the folder `at`. Links are removed, never followed. */
static assay_status remove_at(int at, const char *name, int depth) {
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return ASSAY_OK;
    int why = errno;
    if (why != EISDIR && why != EPERM)
        return err_errno(ASSAY_E_IO, why, "can't remove %s", name);
    if (depth == 0)
        return err_set(ASSAY_E_IO, "folders nested deeper than %d", REMOVE_DEPTH);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) /* not a folder: it was not removed for the first reason */
        return err_errno(ASSAY_E_IO, errno == ENOTDIR ? why : errno, "can't remove %s",
                         name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        assay_status status = err_errno(ASSAY_E_IO, errno, "can't list %s", name);
        (void)close(fd);
        return status;
    }
    assay_status status = ASSAY_OK;
    for (const struct dirent *e; status == ASSAY_OK && (e = readdir(dir)) != NULL;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = remove_at(fd, e->d_name, depth - 1);
    (void)closedir(dir);
    if (status == ASSAY_OK && unlinkat(at, name, AT_REMOVEDIR) != 0)
        status = err_errno(ASSAY_E_IO, errno, "can't remove %s", name);
    return status;
}

assay_status os_remove_tree(const char *path) {
    assay_status status = remove_at(AT_FDCWD, path, REMOVE_DEPTH);
    if (status != ASSAY_OK)
        err_where("%s", path);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

assay_status os_list_dir(assay_ctx *ctx, const char *path, os_names *out) {
    assay_status status = ASSAY_OK;
    *out = (os_names){.ctx = ctx};
    DIR *dir = opendir(path);
    if (!dir)
        return open_failed(path);
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e) {
            if (errno != 0) {
                status = err_errno(ASSAY_E_IO, errno, "can't list");
                err_where("%s", path);
            }
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        ASSAY_TRY(mem_grow(ctx, &out->name, out->count, &out->cap, out->count + 1,
                           sizeof *out->name));
        ASSAY_TRY(mem_strdup(ctx, &out->name[out->count], e->d_name));
        out->count++;
    }
    if (out->count > 1)
        qsort(out->name, out->count, sizeof *out->name, by_name);
done:
    (void)closedir(dir);
    if (status != ASSAY_OK)
        os_names_free(out);
    return status;
}

void os_names_free(os_names *n) {
    for (size_t i = 0; i < n->count; i++)
        mem_free(n->ctx, n->name[i]);
    if (n->ctx)
        mem_free(n->ctx, n->name);
    *n = (os_names){.ctx = n->ctx};
}
