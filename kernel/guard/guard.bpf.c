// SPDX-License-Identifier: GPL-2.0
/*
 * The guard: judges each read and write of a vfio device's file before vfio sees it, and some
 * ioctls.
 *
 * It sits on security_file_permission(), through which every read and write of the host passes, so
 * what is no vfio device leaves after two comparisons. README.md has the threat model, and why each
 * thing is looked at here.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "guard.h"
#include "judge.bpf.h"
#include "vfio-device.bpf.h"

extern const void vfio_device_fops __ksym;
extern const void bpf_map_fops __ksym;

#define EPERM	     1
#define NR_READ	     0
#define NR_PREAD64   17
#define NR_PWRITE64  18
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD   0x00200000
/* VFIO_PCI_OFFSET_SHIFT */
#define REGION_SHIFT 40
#define REGION_MASK  ((1ULL << REGION_SHIFT) - 1)
/* MAX_RW_COUNT: what a read or write can report at most. */
#define MAX_COUNT 0x7ffff000ULL

#define VFIO_DEVICE_RESET			 0x3b6f
#define VFIO_DEVICE_PCI_HOT_RESET		 0x3b71
#define VFIO_DEVICE_IOEVENTFD			 0x3b74
#define VFIO_DEVICE_FEATURE			 0x3b75
#define VFIO_FEATURE_MASK			 0xffff
#define VFIO_FEATURE_SET			 (1 << 17)
#define VFIO_FEATURE_LOW_POWER_ENTRY		 3
#define VFIO_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP 4

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guard_host);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} host SEC(".maps");

struct guard_policy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct guard_policy));
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, GUARD_DEVICES);
	__type(key, struct guard_device);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct guard_policy_map);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, GUARD_DEVICES);
	__type(key, struct guard_device);
	__type(value, struct guard_counts);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct guard_place);
	__type(value, struct guard_place_counts);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} events SEC(".maps");

static __noinline void record(struct access *access, __u8 outcome, __u8 reason)
{
	struct guard_place place = {};
	struct guard_counts *count = bpf_map_lookup_elem(&counts, &access->device);
	__u64 now = bpf_ktime_get_boot_ns();

	__builtin_memcpy(place.bdf, access->device.bdf, sizeof(place.bdf));
	place.region = access->region;
	place.write = access->write;
	place.outcome = outcome;
	place.reason = reason;
	place.offset = access->offset;
	struct guard_place_counts *at = bpf_map_lookup_elem(&places, &place);
	if (at) {
		__sync_fetch_and_add(&at->count, 1);
		at->last = now;
	} else {
		struct guard_place_counts once = {.count = 1, .first = now, .last = now};
		bpf_map_update_elem(&places, &place, &once, BPF_ANY);
	}
	if (count) {
		if (outcome == GUARD_BLOCKED)
			__sync_fetch_and_add(&count->blocked, 1);
		else
			__sync_fetch_and_add(&count->observed, 1);
		if (reason >= GUARD_SYSCALL && reason != GUARD_IOCTL)
			__sync_fetch_and_add(&count->unjudged, 1);
		if (reason == GUARD_IOCTL)
			__sync_fetch_and_add(&count->ioctls, 1);
		/* Guests drive this: a race between CPUs costs an event or two. */
		__u64 second = now / 1000000000;
		if (count->second != second) {
			count->second = second;
			count->in_second = 0;
		}
		if (++count->in_second > GUARD_EVENTS_PER_SECOND) {
			__sync_fetch_and_add(&count->events_lost, 1);
			return;
		}
	}
	struct guard_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		if (count)
			__sync_fetch_and_add(&count->events_lost, 1);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = now;
	event->offset = access->offset;
	event->value = access->value;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->size = access->size > 0xffffffff ? 0xffffffff : access->size;
	event->syscall = access->syscall;
	__builtin_memcpy(event->bdf, access->device.bdf, sizeof(event->bdf));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	event->region = access->region;
	event->write = access->write;
	event->outcome = outcome;
	event->reason = reason;
	bpf_ringbuf_submit(event, 0);
}

/* Counts that the access was judged; `verified` rests on this. */
static __always_inline void count_judged(struct access *access)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct guard_counts *count = bpf_map_lookup_elem(&counts, &access->device);

	if (count) {
		__sync_fetch_and_add(&count->judged, 1);
		count->last = now;
	} else {
		struct guard_counts once = {.judged = 1, .first = now, .last = now};
		bpf_map_update_elem(&counts, &access->device, &once, BPF_NOEXIST);
	}
}

/*
 * What an access gets that is not to reach the device. 0 lets it pass. Anything else ends the
 * system call with that result: a positive number is a count, as if all had been done.
 */
static __noinline int refuse(struct access *access, __u8 reason)
{
	if (access->mode != GUARD_ENFORCE) {
		record(access, GUARD_OBSERVED, reason);
		return 0;
	}
	record(access, GUARD_BLOCKED, reason);
	/* Of other system calls the count is not known. */
	if (access->deny || reason == GUARD_SYSCALL || reason == GUARD_IOCTL)
		return -EPERM;
	return access->size > MAX_COUNT ? MAX_COUNT : access->size;
}

/* By two words, not by characters. What is behind the end of a name does not matter: a prefix holds
 * no zero, and differs there. */
static __always_inline bool is_hypervisor(const struct guard_host *settings)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct task_struct *leader = task->group_leader;
	const __u64 *comm = (const void *)leader + bpf_core_field_offset(struct task_struct, comm);
	__u64 comm0 = comm[0], comm1 = comm[1];

	/* What cannot be read is read as zero, and counts as one. */
	if (!comm0)
		return true;
	for (int i = 0; i < GUARD_HYPERVISORS; i++) {
		const struct guard_prefix *prefix = &settings->hypervisor[i];
		if (prefix->mask[0] && !((comm0 ^ prefix->text[0]) & prefix->mask[0]) &&
		    !((comm1 ^ prefix->text[1]) & prefix->mask[1]))
			return true;
	}
	return false;
}

static __always_inline void find_policy(struct guard_host *settings, struct access *access)
{
	__u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&policies, &access->device);

	if (inner)
		access->policy = bpf_map_lookup_elem(inner, &zero);
	if (access->policy) {
		access->mode = access->policy->mode;
		access->deny = access->policy->deny;
	} else {
		access->mode = is_hypervisor(settings) ? GUARD_ENFORCE : settings->outside;
		access->deny = settings->deny;
	}
	if (access->mode > settings->mode)
		access->mode = settings->mode;
}

/* A function of its own, as self_test(): the hook, which all reads and writes of the host pass,
 * then saves no registers. It is given the hook's context, so that the hook need not keep the file.
 */
static __noinline int judge(const __u64 *arguments)
{
	__u32 zero = 0;
	struct file *file = (void *)arguments[0];
	struct guard_host *settings = bpf_map_lookup_elem(&host, &zero);
	struct access access = {.region = GUARD_REGION_NONE};

	if (!settings || settings->mode == GUARD_OFF)
		return 0;
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	access.syscall = regs->orig_ax;
	access.write = access.syscall == NR_PWRITE64;
	enum identity identity = identify(file, &access);
	if (identity == NOT_PCI)
		return 0;
	find_policy(settings, &access);
	if (access.mode == GUARD_OFF)
		return 0;
	count_judged(&access);
	/* A worker of io_uring has the registers of the call that made it. */
	if ((access.syscall != NR_PREAD64 && access.syscall != NR_PWRITE64) ||
	    (task->flags & (PF_IO_WORKER | PF_KTHREAD)))
		return refuse(&access, GUARD_SYSCALL);
	access.region =
		regs->r10 >> REGION_SHIFT > 0xff ? GUARD_REGION_NONE : regs->r10 >> REGION_SHIFT;
	access.offset = regs->r10 & REGION_MASK;
	access.size = regs->dx;
	access.buffer = regs->si;
	__u8 reason = judge_region(settings, &access, identity == PCI);
	return reason ? refuse(&access, reason) : 0;
}

/* A read of a map's descriptor, which without us always fails: shows that the hook is there and
 * sees system calls. */
static __noinline int self_test(void)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

	return regs->orig_ax == NR_READ ? regs->dx & 0xff : 0;
}

/* Of (struct file *file, int mask). */
SEC("fmod_ret/security_file_permission")
int guard_access(const __u64 *arguments)
{
	const void *operations = ((const struct file *)arguments[0])->f_op;

	if (operations == &vfio_device_fops)
		return judge(arguments);
	if (operations == &bpf_map_fops)
		return self_test();
	return 0;
}

static __always_inline int judge_ioctl(struct file *file, unsigned int command,
				       unsigned long argument)
{
	__u32 zero = 0, wanted;
	struct guard_host *settings;
	struct access access = {};

	switch (command) {
	case VFIO_DEVICE_RESET:
	case VFIO_DEVICE_PCI_HOT_RESET:
		wanted = GUARD_IOCTL_RESET;
		break;
	case VFIO_DEVICE_IOEVENTFD:
		wanted = GUARD_IOCTL_IOEVENTFD;
		break;
	case VFIO_DEVICE_FEATURE:
		wanted = GUARD_IOCTL_LOW_POWER;
		break;
	default:
		return 0;
	}
	settings = bpf_map_lookup_elem(&host, &zero);
	if (!settings || settings->mode == GUARD_OFF)
		return 0;
	if (identify(file, &access) != PCI)
		return 0;
	find_policy(settings, &access);
	if (access.mode == GUARD_OFF)
		return 0;
	count_judged(&access);
	if (!access.policy || !(access.policy->ioctls & wanted))
		return 0;
	if (wanted == GUARD_IOCTL_LOW_POWER) {
		__u32 head[2] = {}; /* argsz, flags */
		if (!bpf_probe_read_user(head, sizeof(head), (void *)argument)) {
			__u32 feature = head[1] & VFIO_FEATURE_MASK;
			if (!(head[1] & VFIO_FEATURE_SET) ||
			    (feature != VFIO_FEATURE_LOW_POWER_ENTRY &&
			     feature != VFIO_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP))
				return 0;
		}
	}
	access.region = GUARD_REGION_NONE;
	access.write = 1;
	access.offset = command;
	access.value = command;
	return refuse(&access, GUARD_IOCTL);
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(guard_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	if ((const void *)file->f_op != &vfio_device_fops)
		return 0;
	return judge_ioctl(file, command, argument);
}

/* From Linux 6.8 on 32-bit calls have a hook of their own. */
SEC("fmod_ret/security_file_ioctl_compat")
int BPF_PROG(guard_ioctl_compat, struct file *file, unsigned int command, unsigned long argument)
{
	if ((const void *)file->f_op != &vfio_device_fops)
		return 0;
	return judge_ioctl(file, command, argument);
}

/* Does nothing, but a program on one of its functions keeps the module vfio from being unloaded and
 * loaded elsewhere. */
SEC("fentry/vfio_device_fops_release")
int BPF_PROG(guard_hold)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
