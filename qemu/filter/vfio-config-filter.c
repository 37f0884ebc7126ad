/*
 * A filter between a stock QEMU and vfio-pci, for LD_PRELOAD
 *
 * Blocks what access rules say of the devices that QEMU assigns to its guest.
 * A blocked write is dropped and reported as done, a blocked read gives zeros,
 * a refused request fails with EPERM.  The environment says what to do:
 *   VFIO_WARDEN_RULES   rules of all devices of the VM, see access-rules.h
 *   VFIO_WARDEN_FILTER  block (also if not set), or observe: only counts
 * With anything wrong there, QEMU gets no device at all: a VM that starts has
 * its rules in force.  Each device is announced on stderr with a digest of its
 * rules: what was not announced is not filtered.
 *
 * QEMU's own accesses are not told from its guest's.  An access that spans
 * blocked and allowed bytes is blocked as a whole.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vfio-requests.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define VERSION 1

static struct {
    RealCalls calls;
    ssize_t (*pwrite)(int, const void *, size_t, off64_t);
    ssize_t (*pread_chk)(int, void *, size_t, off64_t, size_t);
    ssize_t (*preadv)(int, const struct iovec *, int, off64_t);
    ssize_t (*pwritev)(int, const struct iovec *, int, off64_t);
    ssize_t (*preadv2)(int, const struct iovec *, int, off64_t, int);
    ssize_t (*pwritev2)(int, const struct iovec *, int, off64_t, int);
    int (*close)(int);
    int (*close_range)(unsigned, unsigned, int);
    void (*closefrom)(int);
    int (*dup)(int);
    int (*dup2)(int, int);
    int (*dup3)(int, int, int);
    int (*fcntl)(int, int, ...);
} real;

static const char *rules_text; /* NULL: every device is refused */
static bool observe;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    static const char prefix[] = "vfio-warden-filter: ";
    char line[512];
    va_list arguments;
    int length = sizeof(prefix) - 1;
    int saved = errno;
    ssize_t ignored;

    memcpy(line, prefix, length);
    va_start(arguments, format);
    length +=
        vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof(line) - 2) {
        length = sizeof(line) - 2;
    }
    line[length++] = '\n';
    /* In one piece, so that lines of two threads do not mix */
    ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
    errno = saved;
}

static void *next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (!symbol) {
        say("the C library has no %s", name);
        abort();
    }
    return symbol;
}

static void resolve_calls(void)
{
    real.calls.pread = next_symbol("pread64");
    real.pwrite = next_symbol("pwrite64");
    real.pread_chk = next_symbol("__pread64_chk");
    real.preadv = next_symbol("preadv64");
    real.pwritev = next_symbol("pwritev64");
    real.preadv2 = next_symbol("preadv64v2");
    real.pwritev2 = next_symbol("pwritev64v2");
    real.close = next_symbol("close");
    real.close_range = dlsym(RTLD_NEXT, "close_range"); /* glibc 2.34 */
    real.closefrom = dlsym(RTLD_NEXT, "closefrom");
    real.dup = next_symbol("dup");
    real.dup2 = next_symbol("dup2");
    real.dup3 = next_symbol("dup3");
    real.fcntl = next_symbol("fcntl64");
    real.calls.ioctl = next_symbol("ioctl");
}

/* Constructors of QEMU's libraries may run before ours */
static inline void ready(void)
{
    if (__builtin_expect(!real.calls.ioctl, 0)) {
        resolve_calls();
    }
}

__attribute__((constructor)) static void read_environment(void)
{
    const char *mode = getenv("VFIO_WARDEN_FILTER");
    const char *text = getenv("VFIO_WARDEN_RULES");
    const char *error;

    ready();
    if (mode && strcmp(mode, "block") != 0 && strcmp(mode, "observe") != 0) {
        say("refusing all devices: VFIO_WARDEN_FILTER is neither block nor "
            "observe");
        return;
    }
    if (!text) {
        say("refusing all devices: VFIO_WARDEN_RULES is not set");
        return;
    }
    if (!access_rules_valid(text, &error)) {
        say("refusing all devices: VFIO_WARDEN_RULES is wrong at character "
            "%td, before \"%.40s\"",
            error - text + 1, error);
        return;
    }
    observe = mode && strcmp(mode, "observe") == 0;
    rules_text = strdup(text);
    if (!rules_text) {
        say("refusing all devices: no memory");
        return;
    }
    say("version %d in place, mode=%s rules=%016" PRIx64, VERSION,
        observe ? "observe" : "block", access_rules_digest(text, strlen(text)));
}

static int refuse(const char *name, const char *reason)
{
    say("%s refused: %s", name, reason);
    errno = EPERM;
    return -1;
}

/*
 * Takes a device's descriptor into the table.  On failure it must not be used:
 * the reason has been said, and errno is set.
 */
static int admit(int fd, const char *name)
{
    FilteredDevice *device;
    const char *rules, *error;
    int length;

    if (!rules_text) {
        return refuse(name, "the filter has no rules (see above)");
    }
    device = device_new(name);
    if (!device) {
        return refuse(name, "no memory");
    }
    length = access_rules_find(rules_text, name, &rules);
    device->filtered = length >= 0 && is_bdf(name);
    if (device->filtered &&
        (!access_rules_parse(&device->rules, rules, length, &error) ||
         !read_device(&real.calls, fd, device))) {
        return refuse(name, "its regions or its config space cannot be read");
    }
    if (!device_tie(fd, device)) {
        return refuse(name, "its descriptor is too high a number");
    }
    if (device->filtered) {
        say("%s ready, mode=%s rules=%016" PRIx64, name,
            observe ? "observe" : "block", access_rules_digest(rules, length));
    } else {
        say("%s has no rules: not filtered", name);
    }
    return 0;
}

static int get_group_device(int group, const char *argument)
{
    char name[DEVICE_NAME_SIZE];
    int fd = real.calls.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, argument);

    if (fd < 0) {
        return fd;
    }
    /* A token may follow the name (VF tokens) */
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(argument, " "), argument);
    if (admit(fd, name) < 0) {
        int saved = errno;

        real.close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

static int bind_iommufd(int fd, void *argument)
{
    char name[DEVICE_NAME_SIZE];
    int result;

    if (!bdf_of_device_file(fd, name)) {
        return refuse("a device", "sysfs does not tell which one it is");
    }
    if (!rules_text) {
        return refuse(name, "the filter has no rules (see above)");
    }
    result = real.calls.ioctl(fd, FILTER_VFIO_DEVICE_BIND_IOMMUFD, argument);
    return result < 0 ? result : admit(fd, name);
}

/* Counts, and says so at the 1st, 10th, 100th: a guest must not fill a disk */
static void count_hit(FilteredDevice *device, unsigned kind, const char *what,
                      const char *region, uint64_t offset, uint64_t length)
{
    uint64_t hits = atomic_fetch_add_explicit(&device->hits[kind], 1,
                                              memory_order_relaxed) +
                    1;
    uint64_t power = 1;

    while (power < hits && power < UINT64_MAX / 10) {
        power *= 10;
    }
    if (power == hits) {
        say("%s %s %s %s 0x%" PRIx64 " length %" PRIu64 ", count %" PRIu64,
            device->name, observe ? "observed" : "blocked", what, region,
            offset, length, hits);
    }
}

static int filtered_ioctl(int fd, unsigned long request, void *argument)
{
    FilteredDevice *device = device_of(fd);

    if (device && device->filtered &&
        request_refused(device, request, argument)) {
        count_hit(device, 2, "request", "ioctl", request, 0);
        if (!observe) {
            errno = EPERM;
            return -1;
        }
    }
    if (!device) {
        switch (request) {
        case VFIO_GROUP_GET_DEVICE_FD:
            return get_group_device(fd, argument);
        case FILTER_VFIO_DEVICE_BIND_IOMMUFD:
            return bind_iommufd(fd, argument);
        case VFIO_DEVICE_GET_INFO:
            /* Opened by somebody else, and given to QEMU as a descriptor */
            return refuse("a device",
                          "the filter has not seen which one it is");
        }
    }
    return real.calls.ioctl(fd, request, argument);
}

/* Whether an access is to be dropped */
static bool drop(FilteredDevice *device, bool write, const void *data,
                 uint64_t length, int64_t offset)
{
    uint64_t in_region;
    const char *region;

    if (!device->filtered || (!write && !device->rules.bar_count &&
                              !(device->rules.blockable & ACCESS_READ))) {
        return false; /* few devices have a rule about reads */
    }
    if (!access_blocked(device, offset, length, write, data, &in_region,
                        &region)) {
        return false;
    }
    count_hit(device, write, write ? "write" : "read", region, in_region,
              length);
    return !observe;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    ready();
    if (_IOC_TYPE(request) != VFIO_TYPE) {
        return real.calls.ioctl(fd, request, argument);
    }
    return filtered_ioctl(fd, request, argument);
}

EXPORT ssize_t pwrite64(int fd, const void *buffer, size_t count,
                        off64_t offset)
{
    FilteredDevice *device = device_of(fd);

    ready();
    if (device && drop(device, true, buffer, count, offset)) {
        return count;
    }
    return real.pwrite(fd, buffer, count, offset);
}

EXPORT ssize_t pread64(int fd, void *buffer, size_t count, off64_t offset)
{
    FilteredDevice *device = device_of(fd);

    ready();
    if (device && drop(device, false, NULL, count, offset)) {
        memset(buffer, 0, count);
        return count;
    }
    return real.calls.pread(fd, buffer, count, offset);
}

/* What pread() is where the compiler checks buffers: Debian's QEMU uses it */
EXPORT ssize_t __pread64_chk(int fd, void *buffer, size_t count, off64_t offset,
                             size_t size)
{
    FilteredDevice *device = device_of(fd);

    ready();
    if (device && count <= size && drop(device, false, NULL, count, offset)) {
        memset(buffer, 0, count);
        return count;
    }
    return real.pread_chk(fd, buffer, count, offset, size);
}

/*
 * No QEMU uses these on a device, so there is no telling what they would be
 * for.  read() and write() are not here: without lseek(), which vfio refuses,
 * they reach the start of BAR 0 alone.
 */
static bool refuse_vectors(int fd)
{
    FilteredDevice *device = device_of(fd);

    ready();
    if (!device || !device->filtered || observe) {
        return false;
    }
    count_hit(device, 2, "request", "vectored access", 0, 0);
    errno = EPERM;
    return true;
}

EXPORT ssize_t preadv64(int fd, const struct iovec *vector, int count,
                        off64_t offset)
{
    return refuse_vectors(fd) ? -1 : real.preadv(fd, vector, count, offset);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *vector, int count,
                         off64_t offset)
{
    return refuse_vectors(fd) ? -1 : real.pwritev(fd, vector, count, offset);
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *vector, int count,
                          off64_t offset, int flags)
{
    return refuse_vectors(fd) ? -1
                              : real.preadv2(fd, vector, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *vector, int count,
                           off64_t offset, int flags)
{
    return refuse_vectors(fd) ? -1
                              : real.pwritev2(fd, vector, count, offset, flags);
}

EXPORT int close(int fd)
{
    ready();
    device_untie(fd);
    return real.close(fd);
}

static void untie_range(unsigned first, unsigned last)
{
    unsigned fd;

    for (fd = first; fd <= last && fd < MAX_DESCRIPTORS; fd++) {
        device_untie(fd);
    }
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    ready();
    if (!real.close_range) {
        errno = ENOSYS;
        return -1;
    }
    if (!(flags & CLOSE_RANGE_CLOEXEC)) {
        untie_range(first, last);
    }
    return real.close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
    ready();
    untie_range(first < 0 ? 0 : first, MAX_DESCRIPTORS);
    if (real.closefrom) {
        real.closefrom(first);
    }
}

/* A copy that the table has no room for is closed again */
static int copied(int from, int to)
{
    if (to < 0 || device_copy(from, to)) {
        return to;
    }
    real.close(to);
    errno = EMFILE;
    return -1;
}

EXPORT int dup(int fd)
{
    ready();
    return copied(fd, real.dup(fd));
}

EXPORT int dup2(int from, int to)
{
    ready();
    return copied(from, real.dup2(from, to));
}

EXPORT int dup3(int from, int to, int flags)
{
    ready();
    return copied(from, real.dup3(from, to, flags));
}

EXPORT int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    void *argument;
    int result;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    ready();
    result = real.fcntl(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
        return copied(fd, result);
    }
    return result;
}

/* The same functions under their names of 32-bit offsets, which here are equal
 */
_Static_assert(sizeof(off_t) == sizeof(off64_t), "for 64-bit systems only");
EXPORT ssize_t pwrite(int, const void *, size_t, off_t)
    __attribute__((alias("pwrite64")));
EXPORT ssize_t pread(int, void *, size_t, off_t)
    __attribute__((alias("pread64")));
EXPORT ssize_t __pread_chk(int, void *, size_t, off_t, size_t)
    __attribute__((alias("__pread64_chk")));
EXPORT ssize_t preadv(int, const struct iovec *, int, off_t)
    __attribute__((alias("preadv64")));
EXPORT ssize_t pwritev(int, const struct iovec *, int, off_t)
    __attribute__((alias("pwritev64")));
EXPORT ssize_t preadv2(int, const struct iovec *, int, off_t, int)
    __attribute__((alias("preadv64v2")));
EXPORT ssize_t pwritev2(int, const struct iovec *, int, off_t, int)
    __attribute__((alias("pwritev64v2")));
EXPORT int fcntl(int, int, ...) __attribute__((alias("fcntl64")));
