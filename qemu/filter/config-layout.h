/*
 * Which bytes of PCI config space belong to a capability, as vfio-pci counts
 *
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later
 */
#ifndef CONFIG_LAYOUT_H
#define CONFIG_LAYOUT_H

#include <stdint.h>

/*
 * Sets assigned[n] to 1 for each byte of the header and of a capability, and to
 * 0 for all others.  @config is @size bytes of config space as vfio presents
 * it to userspace; @assigned has @size bytes, 64 to 4096.
 */
void config_layout_assigned(uint8_t *assigned, const uint8_t *config,
                            unsigned size);

/* What kernels differ in, from Linux 6.1 to 7.2 */
typedef enum DvsecTable {
    DVSEC_SHOWN,
    DVSEC_HIDDEN, /* Linux 6.1 */
    /*
     * Not known: taken for shown once a pointer that vfio keeps leads to one.
     * Pointers of vendor-specific capabilities are raw, and so may lead to one
     * that is hidden.
     */
    DVSEC_BY_CHAIN,
} DvsecTable;

typedef struct VfioTables {
    /*
     * Bytes of a PCI Express capability of version 2: 0x32 leaves Link Status
     * 2 out (Linux 6.1, and some releases after it), 0x34 does not (Linux
     * 6.12.117 and later).
     */
    unsigned express_v2_length;
    DvsecTable dvsec;
} VfioTables;

/*
 * The same by a kernel's own tables.  config_layout_assigned() does not know
 * them, and counts as unassigned what is raw with any kernel.
 */
void config_layout_assigned_by(uint8_t *assigned, const uint8_t *config,
                               unsigned size, const VfioTables *tables);

#endif
