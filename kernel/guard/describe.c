// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <time.h>
#include "describe.h"

struct json_object *describe_effect(int block)
{
	return json_object_new_string(block ? "block" : "allow");
}

struct json_object *describe_outcome(int outcome)
{
	return json_object_new_string(outcome == GUARD_BLOCKED ? "blocked" : "observed");
}

struct json_object *describe_reason(int reason)
{
	static const char *const names[] = {
		[GUARD_BY_RULE] = "rule",	 [GUARD_UNASSIGNED] = "unassigned",
		[GUARD_SYSCALL] = "system-call", [GUARD_TOO_LONG] = "too-long",
		[GUARD_NO_MAP] = "no-map",	 [GUARD_NO_DATA] = "no-data",
		[GUARD_STRUCTURE] = "structure", [GUARD_IOCTL] = "ioctl",
	};

	if (reason < GUARD_BY_RULE || reason > GUARD_IOCTL)
		return json_object_new_string("unknown");
	return json_object_new_string(names[reason]);
}

static long long nanoseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

struct json_object *describe_time(__u64 since_boot)
{
	long long boot = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME);

	return json_object_new_int64((boot + (long long)since_boot) / 1000000);
}

void describe_access(struct json_object *object, int region, int write, __u64 offset)
{
	char name[16] = "other";

	if (region == GUARD_REGION_CONFIG)
		snprintf(name, sizeof(name), "cfg");
	else if (region <= 5)
		snprintf(name, sizeof(name), "bar%d", region);
	else if (region == GUARD_REGION_NONE)
		snprintf(name, sizeof(name), "none");
	json_object_object_add(object, "access", json_object_new_string(write ? "write" : "read"));
	json_object_object_add(object, "region", json_object_new_string(name));
	json_object_object_add(object, "offset", json_object_new_int64(offset));
}
