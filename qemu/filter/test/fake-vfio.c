/*
 * A vfio that is a file in memory: what the filter lets through is seen in it
 *
 * To be preloaded beneath the filter.  FAKE_CONFIG names a file with the 4096
 * bytes of config space of every device.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFIG_SIZE 4096

static int open_device(void)
{
    static uint8_t config[CONFIG_SIZE];
    int source = open(getenv("FAKE_CONFIG"), O_RDONLY | O_CLOEXEC);
    int fd = memfd_create("fake-vfio-device", MFD_CLOEXEC);

    if (read(source, config, sizeof(config)) != sizeof(config) ||
        ftruncate(fd, (INT64_C(7) << 40) + CONFIG_SIZE) < 0 ||
        syscall(SYS_pwrite64, fd, config, sizeof(config), INT64_C(7) << 40) !=
            sizeof(config)) {
        abort();
    }
    syscall(SYS_close, source);
    return fd;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    switch (request) {
    case VFIO_GROUP_GET_DEVICE_FD:
        return open_device();
    case VFIO_DEVICE_GET_REGION_INFO: {
        struct vfio_region_info *info = argument;

        info->offset = (uint64_t)info->index << 40;
        info->size = info->index == 7 ? CONFIG_SIZE : 0x1000000;
        return 0;
    }
    case VFIO_DEVICE_GET_INFO:
    case VFIO_DEVICE_RESET:
    case VFIO_DEVICE_PCI_HOT_RESET:
    case VFIO_DEVICE_IOEVENTFD:
    case VFIO_DEVICE_FEATURE:
        return 0;
    default:
        return syscall(SYS_ioctl, fd, request, argument);
    }
}
