/*
 * Which bytes of PCI config space belong to a capability, as vfio-pci counts
 *
 * vfio-pci passes bytes that belong to no capability raw to hardware.  What it
 * takes for a capability is said by the tables and functions of
 * drivers/vfio/pci/vfio_pci_config.c.  A capability that it hides is not on the
 * chain that userspace sees, so its bytes count as unassigned here, too: they
 * are raw.  The distance to the next capability is no substitute for a length:
 * it would count the gaps.
 *
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later
 */
#include "config-layout.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_SIZE 0x40
#define LEGACY_SIZE 0x100
#define VARIABLE 0xff
#define EXTENDED_VNDR 0x0b
#define EXTENDED_DVSEC 0x23
#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* pci_cap_length: an id that is not here is hidden */
static const uint8_t standard_length[] = {
    [0x01] = 8,        /* Power Management */
    [0x02] = 12,       /* AGP */
    [0x03] = 8,        /* Vital Product Data */
    [0x05] = VARIABLE, /* MSI */
    [0x07] = VARIABLE, /* PCI-X */
    [0x08] = VARIABLE, /* HyperTransport */
    [0x09] = VARIABLE, /* Vendor-Specific */
    [0x10] = VARIABLE, /* PCI Express */
    [0x11] = 12,       /* MSI-X */
    [0x12] = VARIABLE, /* SATA */
    [0x13] = 6,        /* Advanced Features */
};

/* pci_ext_cap_length */
static const uint8_t extended_length[] = {
    [0x01] = 0x2c,     /* Advanced Error Reporting, to the root's registers */
    [0x02] = VARIABLE, /* Virtual Channel */
    [0x03] = 12,       /* Device Serial Number */
    [0x04] = 16,       /* Power Budgeting */
    [0x08] = VARIABLE, /* Multi-Function Virtual Channel */
    [0x09] = VARIABLE, /* Virtual Channel beside MFVC */
    [EXTENDED_VNDR] = VARIABLE, /* Vendor-Specific */
    [0x0d] = VARIABLE,          /* Access Control Services */
    [0x0e] = 8,                 /* Alternative Routing-ID */
    [0x0f] = 8,                 /* Address Translation Services */
    [0x10] = 0x40,              /* Single Root I/O Virtualization */
    [0x12] = 40,                /* Multicast */
    [0x13] = 16,                /* Page Request Interface */
    [0x15] = VARIABLE,          /* Resizable BAR */
    [0x16] = VARIABLE,          /* Dynamic Power Allocation */
    [0x17] = VARIABLE,          /* TLP Processing Hints */
    [0x18] = 8,                 /* Latency Tolerance Reporting */
    [EXTENDED_DVSEC] =
        VARIABLE, /* Designated Vendor-Specific; Linux 6.1 hides it */
};

typedef struct ConfigSpace {
    const uint8_t *bytes;
    unsigned size;
    const VfioTables *tables;
} ConfigSpace;

/* What lies beyond the end reads as hardware answers there: all-ones */
static uint8_t byte_at(const ConfigSpace *space, unsigned offset)
{
    return offset < space->size ? space->bytes[offset] : 0xff;
}

static uint16_t word_at(const ConfigSpace *space, unsigned offset)
{
    return byte_at(space, offset) | byte_at(space, offset + 1) << 8;
}

static uint32_t dword_at(const ConfigSpace *space, unsigned offset)
{
    return word_at(space, offset) | (uint32_t)word_at(space, offset + 2) << 16;
}

static unsigned round_up(unsigned value, unsigned to)
{
    return (value + to - 1) / to * to;
}

/* pcie_cap_len() of a function, not a root complex's root or bridge */
static unsigned express_length(const ConfigSpace *space, uint16_t flags)
{
    bool version1 = (flags & 0xf) == 1;

    if ((flags & 0xf0) >> 4 == 9) { /* root complex integrated: no link */
        return version1 ? 0x0c : 0x2c;
    }
    return version1 ? 0x14 : space->tables->express_v2_length;
}

/* vfio_cap_len() */
static unsigned standard_cap_length(const ConfigSpace *space, uint8_t id,
                                    unsigned pos)
{
    uint16_t flags = word_at(space, pos + 2);
    unsigned length =
        id < ARRAY_LENGTH(standard_length) ? standard_length[id] : 0;

    if (length != VARIABLE) {
        return length;
    }
    switch (id) {
    case 0x05: /* 64-bit address, mask bits */
        return 10 + (flags & 0x80 ? 4 : 0) + (flags & 0x100 ? 10 : 0);
    case 0x07: /* version: ECC registers */
        return (flags >> 12) & 3 ? 24 : 8;
    case 0x08: /* type */
        return flags & 0xe000 ? 24 : 28;
    case 0x09:
        return flags & 0xff;
    case 0x10:
        return express_length(space, flags);
    case 0x12: /* where the index-data pair lies */
        return (byte_at(space, pos + 4) & 0xf) == 0xf ? 16 : 8;
    }
    return 0;
}

/* vfio_vc_cap_len(): the port arbitration tables are not counted */
static unsigned virtual_channel_length(uint32_t cap1, uint32_t cap2)
{
    unsigned phases = cap2 & 8 ? 128 : cap2 & 4 ? 64 : cap2 & 2 ? 32 : 0;
    unsigned channels = 0x10 + (1 + (cap1 & 7)) * 0x0c;

    return phases ? round_up(channels, 16) + phases / 2 : channels;
}

/* vfio_ext_cap_len() */
static unsigned extended_cap_length(const ConfigSpace *space, uint16_t id,
                                    unsigned pos)
{
    uint32_t first = dword_at(space, pos + 4);
    uint32_t second = dword_at(space, pos + 8);
    unsigned bits;
    unsigned length =
        id < ARRAY_LENGTH(extended_length) ? extended_length[id] : 0;

    if (length != VARIABLE) {
        return length;
    }
    switch (id) {
    case EXTENDED_VNDR:
    case EXTENDED_DVSEC:
        return first >> 20;
    case 0x02:
    case 0x08:
    case 0x09:
        return virtual_channel_length(first, second);
    case 0x0d: /* egress control vector, 0 bits stand for 256 */
        bits = (first >> 8) & 0xff;
        return first & 0x20 ? 8 + (bits ? round_up(bits, 32) : 256) / 8 : 8;
    case 0x15: /* number of BARs */
        return 4 + ((second >> 5) & 7) * 8;
    case 0x16: /* number of substates */
        return 16 + (first & 0x1f) + 1;
    case 0x17: /* a steering tag table in the capability */
        return (first & 0x600) == 0x200 ? 12 + ((first >> 16) & 0x7ff) * 2 + 2
                                        : 12;
    }
    return 0;
}

static void assign(uint8_t *assigned, const ConfigSpace *space, unsigned pos,
                   unsigned length)
{
    if (pos < space->size) {
        unsigned room = space->size - pos;

        memset(assigned + pos, 1, length < room ? length : room);
    }
}

/*
 * vfio_cap_init().  Whether vfio follows the extended chain.  A capability of
 * no length is hidden, or one that only a newer kernel shows; that it is on the
 * chain says nothing, since vendor-specific capabilities have raw pointers.
 */
static bool assign_standard(uint8_t *assigned, const ConfigSpace *space)
{
    bool extended = false;
    unsigned pos, loops;

    if (!(byte_at(space, 0x06) & 0x10)) {
        return false;
    }
    for (pos = byte_at(space, 0x34), loops = (LEGACY_SIZE - HEADER_SIZE) / 4;
         pos && loops; pos = byte_at(space, pos + 1), loops--) {
        uint8_t id = byte_at(space, pos);
        unsigned length = standard_cap_length(space, id, pos);

        if (id == 0x10 || (id == 0x07 && length == 24)) {
            extended = true;
        }
        assign(assigned, space, pos, length);
    }
    return extended;
}

/*
 * What vfio_ecap_init() leaves of a hidden capability at 0x100, which it cannot
 * unlink: its header, read-only.  The kernel's map keeps the low byte of its
 * id, in which 0xff stands for unassigned and 0 for the header of config space:
 * then the pointer is hardware's, too.
 */
static unsigned placeholder_length(uint16_t id)
{
    return (id & 0xff) == 0xff ? 0 : 4;
}

/* Whether vfio keeps the pointer of what is shown as the capability @id */
static bool keeps_pointer(unsigned pos, uint16_t id)
{
    return id != EXTENDED_VNDR && id != EXTENDED_DVSEC &&
           !(pos == LEGACY_SIZE && ((id & 0xff) == 0 || (id & 0xff) == 0xff));
}

/*
 * vfio_ecap_init().  Where nothing follows a placeholder, it reads as 0 and
 * cannot be told from hardware without a chain: its bytes count as unassigned.
 */
static void assign_extended(uint8_t *assigned, const ConfigSpace *space)
{
    bool dvsec = space->tables->dvsec == DVSEC_SHOWN;
    bool kept_pointers = space->tables->dvsec == DVSEC_BY_CHAIN;
    unsigned pos, loops;

    for (pos = LEGACY_SIZE, loops = (space->size - LEGACY_SIZE) / 4;
         pos >= LEGACY_SIZE && pos < space->size && loops; loops--) {
        uint32_t header = dword_at(space, pos);
        uint16_t id = header & 0xffff;
        unsigned length = extended_cap_length(space, id, pos);

        if (header == 0) {
            return;
        }
        if ((id == EXTENDED_VNDR || id == EXTENDED_DVSEC) && length < 4) {
            return; /* shorter than its header, so without a pointer */
        }
        if (id == EXTENDED_DVSEC) {
            dvsec = dvsec || kept_pointers;
            length = dvsec ? length : 0;
        }
        if (length == 0 && pos == LEGACY_SIZE) {
            length = placeholder_length(id);
        }
        assign(assigned, space, pos, length);
        kept_pointers = kept_pointers && keeps_pointer(pos, id);
        pos = (header >> 20) & 0xffc;
    }
}

void config_layout_assigned_by(uint8_t *assigned, const uint8_t *config,
                               unsigned size, const VfioTables *tables)
{
    ConfigSpace space = {
        .bytes = config,
        .size = size,
        .tables = tables,
    };

    memset(assigned, 0, size);
    assign(assigned, &space, 0, HEADER_SIZE);
    if (assign_standard(assigned, &space) && size > LEGACY_SIZE) {
        assign_extended(assigned, &space);
    }
}

void config_layout_assigned(uint8_t *assigned, const uint8_t *config,
                            unsigned size)
{
    static const VfioTables strictest = { 0x32, DVSEC_BY_CHAIN };

    config_layout_assigned_by(assigned, config, size, &strictest);
}
