/* SPDX-License-Identifier: GPL-2.0 */
/* Whether an access may pass: by the rules of its device, and by the kernel's map of its bytes. */
#ifndef WARDEN_JUDGE_BPF_H
#define WARDEN_JUDGE_BPF_H

#include "vfio-device.bpf.h"

/* Keeps the compiler from making branches of what is written without: each one doubles the
 * verifier's work. */
#define OPAQUE(value) asm volatile("" : "+r"(value))

/* 1 for 0, else 0. */
static __always_inline __u64 is_zero(__u64 value)
{
	OPAQUE(value);
	return (~value & (value - 1)) >> 63;
}

/* EACH where all bits of a byte are set. */
static __always_inline __u64 are_ones(__u64 bytes)
{
	bytes &= bytes >> 4;
	bytes &= bytes >> 2;
	bytes &= bytes >> 1;
	return bytes & EACH;
}

/* What the eight bytes from an offset on get: EACH where it is so. */
struct verdict {
	__u64 by_rule;
	__u64 by_map;
	__u64 conditional;
};

static __always_inline void judge_bytes(const struct guard_policy *policy, __u32 offset, bool write,
					struct verdict *verdict)
{
	/* All at once, and not aligned: x86-64 and its verifier have no objection. */
	__u64 bytes = *(const __u64 *)(policy->byte + offset);
	__u64 what = write ? bytes >> GUARD_WRITE_SHIFT : bytes >> GUARD_READ_SHIFT;

	_Static_assert(GUARD_ALLOW == 1 && GUARD_BLOCK == 2 && GUARD_CONDITIONAL == 1 << 4, "bits");
	verdict->by_rule = what >> 1 & EACH;
	verdict->by_map = ~(what | what >> 1) & EACH;
	verdict->conditional = bytes >> 4 & EACH;
}

static __always_inline void judge_conditions(const struct guard_policy *policy, __u32 offset,
					     __u64 written, struct verdict *verdict)
{
	for (__u32 i = 0; i < GUARD_CONDITIONS; i++) {
		if (i >= policy->conditions)
			break;
		const struct guard_condition *condition = &policy->condition[i];
		__u64 index = (__u64)condition->offset - offset;
		__u64 at = index & (GUARD_JUDGED_BYTES - 1);
		__u64 hit = is_zero(index ^ at) &
			    is_zero(((written >> (8 * at)) & condition->mask) ^ condition->value);
		__u64 bit = hit << (8 * at), block = condition->block & 1;
		OPAQUE(bit);
		verdict->by_map &= ~bit;
		verdict->by_rule = (verdict->by_rule & ~bit) | (bit & -block);
	}
}

/* One to eight bytes of config space. Returns why they may not pass, or 0. */
static __always_inline __u8 judge_config(struct guard_host *settings, struct access *access)
{
	const struct guard_policy *policy = access->policy;
	__u32 offset = access->offset & (GUARD_CONFIG_SIZE - 1);
	__u32 size = access->size & (2 * GUARD_JUDGED_BYTES - 1);
	struct verdict verdict = {};
	bool unassigned_blocked, unread = false;

	if (size == 0 || size > GUARD_JUDGED_BYTES)
		return GUARD_TOO_LONG;
	__u64 bytes = EACH >> (8 * (GUARD_JUDGED_BYTES - size));
	/* A page that is not there would need to be faulted in, which cannot be done here. */
	if (access->write)
		unread = bpf_probe_read_user(&access->value, size, (void *)access->buffer);
	if (policy) {
		unassigned_blocked =
			access->write ? policy->unassigned_write : policy->unassigned_read;
		judge_bytes(policy, offset, access->write, &verdict);
		if (access->write && (verdict.conditional & bytes)) {
			if (unread)
				return GUARD_NO_DATA;
			judge_conditions(policy, offset, access->value, &verdict);
		}
	} else {
		unassigned_blocked =
			access->write ? settings->unassigned_write : settings->unassigned_read;
		verdict.by_map = bytes;
	}
	if (verdict.by_rule & bytes)
		return GUARD_BY_RULE;
	if (!unassigned_blocked || !(verdict.by_map & bytes))
		return 0;
	__u64 ids = 0;
	if (bpf_probe_read_kernel(&ids, size, access->config_map + offset))
		return GUARD_NO_MAP;
	_Static_assert(PCI_CAP_ID_INVALID == 0xff, "are_ones()");
	return verdict.by_map & bytes & are_ones(ids) ? GUARD_UNASSIGNED : 0;
}

static __always_inline __u8 judge_bar(const struct access *access)
{
	const struct guard_policy *policy = access->policy;
	__u64 last = access->offset + access->size - 1;

	if (!policy)
		return 0;
	for (__u32 i = 0; i < GUARD_BAR_RANGES; i++) {
		if (i >= policy->bar_ranges)
			break;
		const struct guard_bar_range *range = &policy->bar_range[i];
		if (range->bar == access->region && range->write == access->write &&
		    access->offset <= range->to && last >= range->from)
			return GUARD_BY_RULE;
	}
	return 0;
}

static __always_inline __u8 judge_region(struct guard_host *settings, struct access *access,
					 bool known)
{
	struct pci_dev *pdev = access->pdev;
	int config_size = 0;

	if (access->size == 0)
		return 0;
	if (access->region <= LAST_BAR)
		return known ? judge_bar(access) : GUARD_STRUCTURE;
	if (access->region != GUARD_REGION_CONFIG)
		return 0;
	if (!known || bpf_core_read(&config_size, sizeof(config_size), &pdev->cfg_size) ||
	    config_size > GUARD_CONFIG_SIZE)
		return GUARD_STRUCTURE;
	/* vfio answers EFAULT. */
	if (access->offset + access->size > (__u64)config_size)
		return 0;
	if (access->size > GUARD_JUDGED_BYTES)
		return access->write ? GUARD_TOO_LONG : 0;
	return judge_config(settings, access);
}

#endif
