/*
 * Devices that the filter knows, by file descriptor
 *
 * vCPU threads look a descriptor up without a lock while the main thread adds
 * and removes devices, so a device is never freed: it goes back to a list and
 * serves the same device again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "filtered-device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

FilteredDevice *_Atomic device_by_descriptor[MAX_DESCRIPTORS];

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static FilteredDevice *all_devices;

FilteredDevice *device_new(const char *name)
{
    FilteredDevice *device;

    pthread_mutex_lock(&table_lock);
    for (device = all_devices; device; device = device->next) {
        if (device->descriptors == 0 && strcmp(device->name, name) == 0) {
            break;
        }
    }
    if (!device) {
        device = calloc(1, sizeof(*device));
        if (device) {
            snprintf(device->name, sizeof(device->name), "%s", name);
            device->next = all_devices;
            all_devices = device;
        }
    }
    pthread_mutex_unlock(&table_lock);
    return device;
}

static void tie_locked(int fd, FilteredDevice *device)
{
    FilteredDevice *before = device_of(fd);

    if (before) {
        before->descriptors--;
    }
    if (device) {
        device->descriptors++;
    }
    atomic_store_explicit(&device_by_descriptor[fd], device,
                          memory_order_release);
}

bool device_tie(int fd, FilteredDevice *device)
{
    if ((unsigned)fd >= MAX_DESCRIPTORS) {
        return false;
    }
    pthread_mutex_lock(&table_lock);
    tie_locked(fd, device);
    pthread_mutex_unlock(&table_lock);
    return true;
}

void device_untie(int fd)
{
    if (device_of(fd)) {
        device_tie(fd, NULL);
    }
}

bool device_copy(int from, int to)
{
    FilteredDevice *device = device_of(from);

    if (!device && !device_of(to)) {
        return true;
    }
    return device_tie(to, device);
}
