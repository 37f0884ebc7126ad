/*
 * What the filter asks of vfio
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef VFIO_REQUESTS_H
#define VFIO_REQUESTS_H

#include "filtered-device.h"

#include <sys/types.h>

/* The kernel's headers of a build machine may be older than these */
#define FILTER_VFIO_DEVICE_BIND_IOMMUFD _IO(VFIO_TYPE, VFIO_BASE + 18)
#define FILTER_VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY 3
#define FILTER_VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP 4

/* The functions beneath the filter */
typedef struct RealCalls {
    int (*ioctl)(int fd, unsigned long request, ...);
    ssize_t (*pread)(int fd, void *buffer, size_t count, off64_t offset);
} RealCalls;

/*
 * The BDF of the function behind a file of /dev/vfio/devices, by sysfs, into
 * @bdf.
 */
bool bdf_of_device_file(int fd, char bdf[DEVICE_NAME_SIZE]);

/* Whether this is how sysfs and QEMU write the address of a PCI function */
bool is_bdf(const char *name);

/*
 * Reads where the device's regions lie and what its config space holds, and
 * resolves its rules.
 */
bool read_device(const RealCalls *real, int fd, FilteredDevice *device);

/* Whether the rules refuse a request */
bool request_refused(const FilteredDevice *device, unsigned long request,
                     const void *argument);

/*
 * Whether the rules block an access to the device's file.  @data has the bytes
 * of a write.
 */
bool access_blocked(const FilteredDevice *device, uint64_t offset,
                    uint64_t length, bool write, const void *data,
                    uint64_t *in_region, const char **region);

#endif
