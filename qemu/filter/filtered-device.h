/*
 * Devices that the filter knows, by file descriptor
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef FILTERED_DEVICE_H
#define FILTERED_DEVICE_H

#include "access-rules.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_NAME_SIZE 64
#define MAX_DESCRIPTORS 65536

typedef struct Region {
    uint64_t start, size; /* bytes of the device's file */
} Region;

typedef struct FilteredDevice {
    char name[DEVICE_NAME_SIZE]; /* BDF, or what the caller calls it */
    bool filtered;               /* whether there are rules for it */
    unsigned descriptors;        /* that refer to it; under the table's lock */
    Region region[ACCESS_CONFIG + 1];
    AccessRules rules;
    /* Accesses that were blocked, or would have been: reads, writes, requests
     */
    _Atomic uint64_t hits[3];
    struct FilteredDevice *next;
} FilteredDevice;

extern FilteredDevice *_Atomic device_by_descriptor[MAX_DESCRIPTORS];

/*
 * The device of a descriptor, NULL for any other: all that a system call on
 * another descriptor pays for.
 */
static inline FilteredDevice *device_of(int fd)
{
    if ((unsigned)fd >= MAX_DESCRIPTORS) {
        return NULL;
    }
    return atomic_load_explicit(&device_by_descriptor[fd],
                                memory_order_acquire);
}

/* A device to fill in and to publish; NULL without memory */
FilteredDevice *device_new(const char *name);

/*
 * Ties a descriptor to a device, in place of what it was tied to.  Whether
 * there is room for it.
 */
bool device_tie(int fd, FilteredDevice *device);

/* To be called before the descriptor is closed: its number may come back */
void device_untie(int fd);

/* A descriptor that is a copy of another is the same device */
bool device_copy(int from, int to);

#endif
