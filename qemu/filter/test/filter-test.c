/*
 * What reaches a device through the filter, when it is preloaded
 *
 * The device is a file in memory (fake-vfio.c); a second descriptor of it,
 * which the filter does not know, shows what arrived.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONFIG (INT64_C(7) << 40)
#define NVME "0000:01:00.0"
#define FREE "0000:02:00.0" /* has no rules */

static int group;

static int open_device(const char *name)
{
    return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);
}

/* Another descriptor of the same file, behind the filter's back */
static int hardware_of(int device)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", device);
    return open(path, O_RDWR);
}

/* Whether a byte that is written arrives */
static bool arrives(int device, int64_t offset)
{
    int hardware = hardware_of(device);
    uint8_t before, value, after;
    bool arrived;

    if (pread(hardware, &before, 1, offset) != 1) {
        abort();
    }
    value = ~before;
    CHECK(pwrite(device, &value, 1, offset) == 1); /* looks successful */
    if (pread(hardware, &after, 1, offset) != 1) {
        abort();
    }
    arrived = after == value;
    close(hardware);
    return arrived;
}

static void blocks_by_rule(void)
{
    int device = open_device(NVME);
    int hardware = hardware_of(device);
    uint8_t value = 0xab;
    uint32_t dword = 0x11223344;

    CHECK(device >= 0);
    CHECK(arrives(device, CONFIG + 0x04));
    CHECK(!arrives(device, CONFIG + 0x800));
    CHECK(!arrives(device, CONFIG + 0xf0));
    CHECK(arrives(device, CONFIG + 0x704)); /* exempt */
    CHECK(!arrives(device, 0x88050));       /* BAR 0 */
    CHECK(arrives(device, 0x90000));
    CHECK(arrives(device, INT64_C(1) << 40)); /* BAR 1 */

    /* an access that spans is blocked as a whole */
    CHECK(pwrite(device, &dword, 4, CONFIG + 0x5c) == 4);
    CHECK(pread(hardware, &value, 1, CONFIG + 0x5c) == 1 && value == 0);

    /* reads of 0x900 to 0x9ff are blocked: zeros, whatever is there */
    CHECK(pwrite(hardware, &dword, 4, CONFIG + 0x900) == 4);
    dword = 0xffffffff;
    CHECK(pread(device, &dword, 4, CONFIG + 0x900) == 4 && dword == 0);
    dword = 0;
    CHECK(pread(device, &dword, 4, CONFIG + 0x800) == 4);

    CHECK(ioctl(device, VFIO_DEVICE_RESET) == -1 && errno == EPERM);
    CHECK(ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, NULL) == -1);
    close(hardware);
    close(device);
}

static void closes_the_short_cut(void)
{
    int device = open_device(NVME);
    struct vfio_device_ioeventfd request = {
        .argsz = sizeof(request),
        .flags = VFIO_DEVICE_IOEVENTFD_32,
        .offset = 0x88050,
    };

    CHECK(ioctl(device, VFIO_DEVICE_IOEVENTFD, &request) == -1);
    CHECK(errno == EPERM);
    request.offset = 0x90000;
    CHECK(ioctl(device, VFIO_DEVICE_IOEVENTFD, &request) == 0);
    close(device);
}

static void leaves_others_alone(void)
{
    int device = open_device(FREE);
    int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    uint8_t value = 1;

    CHECK(arrives(device, CONFIG + 0x800));
    CHECK(ioctl(device, VFIO_DEVICE_RESET) == 0);
    CHECK(pwrite(file, &value, 1, 0x88050) == 1);
    value = 0;
    CHECK(pread(file, &value, 1, 0x88050) == 1 && value == 1);
    close(device);
    close(file);
}

static void follows_descriptors(void)
{
    int device = open_device(NVME);
    int copy = dup(device);
    int other = fcntl(device, F_DUPFD_CLOEXEC, 100);
    int file;
    struct iovec vector = { &file, 1 };

    CHECK(!arrives(copy, CONFIG + 0x800));
    CHECK(other >= 100 && !arrives(other, CONFIG + 0x800));
    CHECK(pwritev(device, &vector, 1, CONFIG + 0x800) == -1 && errno == EPERM);
    CHECK(preadv(device, &vector, 1, CONFIG + 0x800) == -1);

    /* the number comes back as another file, which is none of ours */
    close(device);
    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    CHECK(file == device);
    CHECK(pwrite(file, "x", 1, 0x88050) == 1);
    CHECK(lseek(file, 0, SEEK_END) == 0x88051);
    CHECK(!arrives(copy, CONFIG + 0x800)); /* still open */
    CHECK(dup2(file, copy) == copy);
    CHECK(pwrite(copy, "xy", 2, 0x88050) == 2);
    CHECK(lseek(file, 0, SEEK_END) == 0x88052);

    close_range(other, other, 0);
    CHECK(dup2(file, other) == other);
    CHECK(pwrite(other, "xyz", 3, 0x88050) == 3);
    CHECK(lseek(file, 0, SEEK_END) == 0x88053);
    close(other);
    close(copy);
    close(file);
}

static void refuses_what_it_has_not_seen(void)
{
    struct vfio_device_info info = { .argsz = sizeof(info) };
    int device = open_device(NVME);
    int inherited = hardware_of(device);

    CHECK(ioctl(inherited, VFIO_DEVICE_GET_INFO, &info) == -1);
    CHECK(errno == EPERM);
    CHECK(ioctl(device, VFIO_DEVICE_GET_INFO, &info) == 0);
    /* no file of /dev/vfio/devices */
    CHECK(ioctl(group, _IO(VFIO_TYPE, VFIO_BASE + 18), &info) == -1);
    CHECK(errno == EPERM);
    close(inherited);
    close(device);
}

static atomic_bool stop;
static _Atomic unsigned leaked;

static void *write_without_end(void *argument)
{
    int device = *(int *)argument;
    int hardware = hardware_of(device);
    uint8_t value = 0xee, seen = 0;

    while (!atomic_load(&stop)) {
        if (pwrite(device, &value, 1, CONFIG + 0x800) != 1 ||
            pread(hardware, &seen, 1, CONFIG + 0x800) != 1 || seen == value) {
            leaked++;
        }
    }
    close(hardware);
    return NULL;
}

static void holds_while_others_come_and_go(void)
{
    int device = open_device(NVME);
    pthread_t threads[4];
    unsigned i;

    for (i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, write_without_end, &device);
    }
    for (i = 0; i < 2000; i++) {
        int other = open_device(i % 2 ? "0000:03:00.0" : FREE);

        CHECK(other >= 0);
        close(other);
    }
    atomic_store(&stop, true);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(leaked == 0);
    close(device);
}

static void refuses_all(void)
{
    int before = dup(group);
    int after;

    close(before);
    CHECK(open_device(NVME) == -1 && errno == EPERM);
    CHECK(open_device(FREE) == -1 && errno == EPERM);
    after = dup(group);
    CHECK(after == before); /* and no descriptor is left behind */
    close(after);
}

static void only_observes(void)
{
    int device = open_device(NVME);

    CHECK(arrives(device, CONFIG + 0x800));
    CHECK(ioctl(device, VFIO_DEVICE_RESET) == 0);
    close(device);
}

/* A device that QEMU opens later, and that no entry of the text names */
static void filters_every_other(void)
{
    int named = open_device(NVME);
    int later = open_device(FREE);

    CHECK(arrives(named, CONFIG + 0x800));
    CHECK(!arrives(later, CONFIG + 0x800));
    CHECK(arrives(later, CONFIG + 0x04));
    close(named);
    close(later);
    later = open_device(FREE);
    CHECK(!arrives(later, CONFIG + 0x800));
    close(later);
}

int main(int argc, char **argv)
{
    group = open("/dev/null", O_RDWR);
    if (argc > 1 && strcmp(argv[1], "refused") == 0) {
        refuses_all();
        return report();
    }
    if (argc > 1 && strcmp(argv[1], "observe") == 0) {
        only_observes();
        return report();
    }
    if (argc > 1 && strcmp(argv[1], "every-other") == 0) {
        filters_every_other();
        return report();
    }
    blocks_by_rule();
    closes_the_short_cut();
    leaves_others_alone();
    follows_descriptors();
    refuses_what_it_has_not_seen();
    holds_while_others_come_and_go();
    return report();
}
