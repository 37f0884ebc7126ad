/*
 * Access rules for an assigned PCI device: which guest accesses to its config
 * space and BARs, and which requests on its file, are blocked
 *
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later
 */
#ifndef ACCESS_RULES_H
#define ACCESS_RULES_H

#include <stdbool.h>
#include <stdint.h>

#define ACCESS_CONFIG_SIZE 4096
#define ACCESS_MAX_JUDGED                                                      \
    8 /* bytes: no guest access to config space is longer */
#define ACCESS_MAX_TEXT 65536 /* bytes, of all devices */
#define ACCESS_MAX_DEVICE_TEXT 16384
#define ACCESS_MAX_RULES 512 /* of one device */
#define ACCESS_MAX_BAR_RULES 16
#define ACCESS_MAX_CONDITIONAL 32 /* bytes, counted for each rule */

/* vfio's numbers of the regions that rules speak of */
enum {
    ACCESS_BAR0 = 0,
    ACCESS_BAR5 = 5,
    ACCESS_CONFIG = 7,
};

enum {
    ACCESS_READ = 1 << 0,
    ACCESS_WRITE = 1 << 1,
};

/* Requests that can be refused */
enum {
    ACCESS_RESET = 1 << 0,
    ACCESS_IOEVENTFD = 1 << 1,
    ACCESS_LOW_POWER = 1 << 2,
};

typedef struct AccessRule {
    uint64_t first, last; /* bytes of the region, both included */
    uint8_t region;
    uint8_t directions;
    bool block;
    uint8_t mask, value; /* applies if (byte & mask) == value; 0, 0 is always */
} AccessRule;

typedef struct AccessRules {
    uint8_t unassigned; /* blocked directions of bytes of no capability */
    uint8_t requests;   /* refused requests */
    uint8_t blockable;  /* directions in which any byte of config space is */
    unsigned count;
    unsigned bar_count;
    AccessRule rule[ACCESS_MAX_RULES];
    /* For each byte of config space what the rules come to, see resolve */
    uint8_t config[ACCESS_CONFIG_SIZE];
} AccessRules;

/*
 * Finds the rules of a device in the text for all devices of a VM: entries
 * BDF=RULES with one space between them, where BDF is as in sysfs
 * (0000:01:00.0), and * is every device without an entry of its own.
 * Returns the length of RULES, or -1 where no entry is for the device.
 */
int access_rules_find(const char *text, const char *bdf, const char **rules);

/*
 * Whether a text for all devices of a VM is well-formed.  One with any error
 * is to be refused as a whole.  If it is not, *@error points at the place.
 */
bool access_rules_valid(const char *text, const char **error);

/*
 * Reads the rules of one device: statements with one ; between them.
 *   unassigned:DIRECTION:EFFECT
 *   REGION:FIRST[-LAST]:DIRECTION:EFFECT[:MASK=VALUE]
 *   ioctl:REQUEST:block
 * REGION is cfg or bar0 to bar5, DIRECTION r, w or rw, EFFECT allow or block,
 * REQUEST reset, ioeventfd or low-power, numbers are in hex.  Of the rules on
 * a byte the last one that applies decides; where none does, bytes of config
 * space that belong to no capability are what unassigned says (writes blocked,
 * where it is not said), and all else is allowed.
 * If it does not parse, *@error points at the place.
 */
bool access_rules_parse(AccessRules *rules, const char *text, unsigned length,
                        const char **error);

/*
 * To be called before the functions below.  @config is @size bytes of config
 * space as vfio presents it; bytes beyond count as unassigned.
 */
void access_rules_resolve(AccessRules *rules, const uint8_t *config,
                          unsigned size);

/*
 * Bit n is set where byte n of an access is blocked.  @data has the bytes of
 * a write and is not looked at for a read.  A write of more than
 * ACCESS_MAX_JUDGED bytes of config space is blocked, and a read passes: QEMU
 * reads all of it when it opens a device.
 */
unsigned access_rules_judge(const AccessRules *rules, unsigned region,
                            uint64_t offset, uint64_t length, bool write,
                            const uint8_t *data);

/* Whether a byte of config space belongs to no capability */
bool access_rules_unassigned(const AccessRules *rules, unsigned offset);

/* FNV-1a with 64 bits: names a text of rules in a log */
uint64_t access_rules_digest(const char *text, unsigned length);

#endif
