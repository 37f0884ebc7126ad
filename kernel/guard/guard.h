/* SPDX-License-Identifier: GPL-2.0 */
/* What the program in the kernel and warden-guard share: the layout of the maps. */
#ifndef WARDEN_GUARD_H
#define WARDEN_GUARD_H

#include <linux/types.h>

/* Of the maps; a guard finds maps of another layout in bpffs unusable and says so. */
#define GUARD_LAYOUT 1

/* "ffffffff:ff:1f.7" and its end, rounded up. */
#define GUARD_BDF_SIZE	  20
#define GUARD_CONFIG_SIZE 4096
/* A longer write is blocked unseen, a longer read passes: src/mitigation/access-rules/README.md. */
#define GUARD_JUDGED_BYTES 8
#define GUARD_CONDITIONS   32
/* 16 rules on BARs make at most that many ranges. */
#define GUARD_BAR_RANGES  32
#define GUARD_TEXT_SIZE	  16385
#define GUARD_DEVICES	  4096
#define GUARD_HYPERVISORS 4
/* Events of one device in one second; more are counted as lost. */
#define GUARD_EVENTS_PER_SECOND 64

enum guard_mode { GUARD_OFF, GUARD_OBSERVE, GUARD_ENFORCE };

/* What decides over one byte, two bits for each direction. */
enum guard_byte { GUARD_BY_MAP, GUARD_ALLOW, GUARD_BLOCK };
#define GUARD_READ_SHIFT  0
#define GUARD_WRITE_SHIFT 2
#define GUARD_BYTE_MASK	  3
/* Conditions have a say in what becomes of a write. */
#define GUARD_CONDITIONAL 0x10

#define GUARD_IOCTL_RESET     1
#define GUARD_IOCTL_IOEVENTFD 2
#define GUARD_IOCTL_LOW_POWER 4

/* Applies to a byte written at `offset` where (written & mask) == value; later ones win. */
struct guard_condition {
	__u16 offset;
	__u8 mask;
	__u8 value;
	__u8 block;
	__u8 unused[3];
};

/* Blocked bytes of a BAR; ranges of one BAR and direction do not overlap. */
struct guard_bar_range {
	__u64 from;
	__u64 to;
	__u8 bar;
	__u8 write;
	__u8 unused[6];
};

/* The rules of one device, replaced as a whole: each is the only element of a map of its own. */
struct guard_policy {
	__u8 mode;
	/* Answer EPERM to what is blocked, instead of dropping it. */
	__u8 deny;
	__u8 unassigned_read;
	__u8 unassigned_write;
	__u32 ioctls;
	__u32 conditions;
	__u32 bar_ranges;
	struct guard_condition condition[GUARD_CONDITIONS];
	struct guard_bar_range bar_range[GUARD_BAR_RANGES];
	/* Some room behind the end, so that the verifier sees each of 8 bytes inside. */
	__u8 byte[GUARD_CONFIG_SIZE + GUARD_JUDGED_BYTES];
	/* The rules as they were given, for status. */
	char text[GUARD_TEXT_SIZE];
};

/* The beginning of a name: bytes under the mask count. Without a mask it matches nothing. */
struct guard_prefix {
	__u64 text[2];
	__u64 mask[2];
};

/* Of the host; the standard holds for devices that have no rules. */
struct guard_host {
	__u32 layout;
	__u8 mode;
	/* For processes that are no hypervisor, on devices that have no rules. */
	__u8 outside;
	__u8 deny;
	__u8 unassigned_read;
	__u8 unassigned_write;
	__u8 unused[7];
	/* Names of hypervisors (comm of the main thread). */
	struct guard_prefix hypervisor[GUARD_HYPERVISORS];
};

struct guard_device {
	char bdf[GUARD_BDF_SIZE];
};

/* What happened on one device since its counters were made. Times in ns since boot. */
struct guard_counts {
	__u64 judged;
	__u64 blocked;
	__u64 observed;
	/* Of blocked and observed: those that could not be judged. */
	__u64 unjudged;
	__u64 ioctls;
	__u64 events_lost;
	__u64 first;
	__u64 last;
	__u64 second;
	__u64 in_second;
};

enum guard_outcome { GUARD_OBSERVED = 1, GUARD_BLOCKED = 2 };

enum guard_reason {
	GUARD_BY_RULE = 1,
	GUARD_UNASSIGNED,
	/* What cannot be judged: */
	GUARD_SYSCALL,
	GUARD_TOO_LONG,
	GUARD_NO_MAP,
	GUARD_NO_DATA,
	GUARD_STRUCTURE,
	GUARD_IOCTL,
};

#define GUARD_REGION_CONFIG 7
#define GUARD_REGION_NONE   0xff

/* One count for each place that was blocked or observed. */
struct guard_place {
	char bdf[GUARD_BDF_SIZE];
	__u8 region;
	__u8 write;
	__u8 outcome;
	__u8 reason;
	__u64 offset;
};

struct guard_place_counts {
	__u64 count;
	__u64 first;
	__u64 last;
};

struct guard_event {
	__u64 time;
	__u64 offset;
	/* The first 8 bytes of what was to be written; the request of an ioctl. */
	__u64 value;
	__u32 pid;
	__u32 size;
	__u32 syscall;
	char bdf[GUARD_BDF_SIZE];
	char comm[16];
	__u8 region;
	__u8 write;
	__u8 outcome;
	__u8 reason;
};

#endif
