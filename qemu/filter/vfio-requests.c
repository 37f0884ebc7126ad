/*
 * What the filter asks of vfio
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "vfio-requests.h"

#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

bool is_bdf(const char *name)
{
    unsigned domain, bus, device, function;
    char written[DEVICE_NAME_SIZE];

    if (sscanf(name, "%8x:%2x:%2x.%1x", &domain, &bus, &device, &function) !=
        4) {
        return false;
    }
    snprintf(written, sizeof(written), "%04x:%02x:%02x.%x", domain, bus, device,
             function);
    return strcmp(written, name) == 0;
}

bool bdf_of_device_file(int fd, char bdf[DEVICE_NAME_SIZE])
{
    struct stat status;
    char link[64], path[PATH_MAX];
    const char *name;

    if (fstat(fd, &status) < 0 || !S_ISCHR(status.st_mode)) {
        return false;
    }
    snprintf(link, sizeof(link), "/sys/dev/char/%u:%u/device",
             major(status.st_rdev), minor(status.st_rdev));
    if (!realpath(link, path)) {
        return false;
    }
    name = strrchr(path, '/') + 1;
    if (strlen(name) >= DEVICE_NAME_SIZE) {
        return false;
    }
    strcpy(bdf, name);
    return true;
}

bool read_device(const RealCalls *real, int fd, FilteredDevice *device)
{
    uint8_t config[ACCESS_CONFIG_SIZE];
    const Region *space = &device->region[ACCESS_CONFIG];
    unsigned index;

    for (index = 0; index <= ACCESS_CONFIG; index++) {
        struct vfio_region_info info = {
            .argsz = sizeof(info),
            .index = index,
        };

        if (real->ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0) {
            return false;
        }
        device->region[index] = (Region){ info.offset, info.size };
    }
    if (space->size < 64 || space->size > sizeof(config) ||
        real->pread(fd, config, space->size, space->start) !=
            (long)space->size) {
        return false;
    }
    access_rules_resolve(&device->rules, config, space->size);
    return true;
}

/* A write that the kernel is to do by itself whenever an eventfd is signalled
 */
static bool ioeventfd_refused(const FilteredDevice *device,
                              const struct vfio_device_ioeventfd *request)
{
    uint64_t length = request->flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
    uint64_t data = request->data, in_region;
    const char *region;

    if (device->rules.requests & ACCESS_IOEVENTFD) {
        return true;
    }
    return access_blocked(device, request->offset, length, true, &data,
                          &in_region, &region);
}

static bool low_power_refused(const FilteredDevice *device,
                              const struct vfio_device_feature *request)
{
    uint32_t feature = request->flags & VFIO_DEVICE_FEATURE_MASK;

    return device->rules.requests & ACCESS_LOW_POWER &&
           request->flags & VFIO_DEVICE_FEATURE_SET &&
           !(request->flags & VFIO_DEVICE_FEATURE_PROBE) &&
           (feature == FILTER_VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY ||
            feature == FILTER_VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP);
}

bool request_refused(const FilteredDevice *device, unsigned long request,
                     const void *argument)
{
    switch (request) {
    case VFIO_DEVICE_RESET:
    case VFIO_DEVICE_PCI_HOT_RESET:
        return device->rules.requests & ACCESS_RESET;
    case VFIO_DEVICE_IOEVENTFD:
        return ioeventfd_refused(device, argument);
    case VFIO_DEVICE_FEATURE:
        return low_power_refused(device, argument);
    default:
        return false;
    }
}

bool access_blocked(const FilteredDevice *device, uint64_t offset,
                    uint64_t length, bool write, const void *data,
                    uint64_t *in_region, const char **region)
{
    static const char *const name[] = {
        "bar0", "bar1", "bar2", "bar3", "bar4", "bar5", "rom", "cfg",
    };
    unsigned index;

    /* Most accesses are to config space, and most devices have no other rule */
    for (index = ACCESS_CONFIG;; index--) {
        const Region *at = &device->region[index];

        if (offset >= at->start && offset - at->start < at->size) {
            *in_region = offset - at->start;
            *region = name[index];
            return access_rules_judge(&device->rules, index, *in_region, length,
                                      write, data) != 0;
        }
        if (index == 0 || device->rules.bar_count == 0) {
            return false;
        }
    }
}
