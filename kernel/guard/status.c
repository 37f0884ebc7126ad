// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "answer.h"
#include "commands.h"
#include "describe.h"
#include "pins.h"

static struct json_object *describe_host(const struct guard_host *host)
{
	struct json_object *object = json_object_new_object(),
			   *unassigned = json_object_new_object();
	struct json_object *hypervisors = json_object_new_array();

	json_object_object_add(object, "mode", json_object_new_string(mode_name(host->mode)));
	json_object_object_add(object, "outside", json_object_new_string(mode_name(host->outside)));
	json_object_object_add(object, "answer",
			       json_object_new_string(host->deny ? "deny" : "drop"));
	json_object_object_add(unassigned, "read", describe_effect(host->unassigned_read));
	json_object_object_add(unassigned, "write", describe_effect(host->unassigned_write));
	json_object_object_add(object, "unassigned", unassigned);
	for (int i = 0; i < GUARD_HYPERVISORS; i++) {
		const struct guard_prefix *prefix = &host->hypervisor[i];
		if (prefix->mask[0])
			json_object_array_add(hypervisors,
					      json_object_new_string((const char *)prefix->text));
	}
	json_object_object_add(object, "hypervisors", hypervisors);
	return object;
}

static void add_policy(struct json_object *object, int policies, const struct guard_device *device)
{
	static struct guard_policy policy;
	__u32 zero = 0, id;

	if (bpf_map_lookup_elem(policies, device, &id))
		return;
	int inner = bpf_map_get_fd_by_id(id);
	if (inner < 0)
		return;
	if (!bpf_map_lookup_elem(inner, &zero, &policy)) {
		json_object_object_add(object, "mode",
				       json_object_new_string(mode_name(policy.mode)));
		json_object_object_add(object, "answer",
				       json_object_new_string(policy.deny ? "deny" : "drop"));
		json_object_object_add(object, "rules", json_object_new_string(policy.text));
	}
	close(inner);
}

static void add_counts(struct json_object *object, int counts, const struct guard_device *device)
{
	struct guard_counts count = {};

	if (bpf_map_lookup_elem(counts, device, &count) == 0) {
		json_object_object_add(object, "firstAt", describe_time(count.first));
		json_object_object_add(object, "lastAt", describe_time(count.last));
	}
	json_object_object_add(object, "judged", json_object_new_int64(count.judged));
	json_object_object_add(object, "blocked", json_object_new_int64(count.blocked));
	json_object_object_add(object, "observed", json_object_new_int64(count.observed));
	json_object_object_add(object, "unjudged", json_object_new_int64(count.unjudged));
	json_object_object_add(object, "ioctls", json_object_new_int64(count.ioctls));
	json_object_object_add(object, "eventsLost", json_object_new_int64(count.events_lost));
}

static struct json_object *describe_device(int policies, int counts,
					   const struct guard_device *device)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "device", json_object_new_string(device->bdf));
	add_policy(object, policies, device);
	add_counts(object, counts, device);
	return object;
}

/* Devices that have rules, and those that were judged without any. */
static struct json_object *describe_devices(int policies, int counts)
{
	struct json_object *list = json_object_new_array();
	struct guard_device device, *before = NULL;
	__u32 id;

	while (bpf_map_get_next_key(policies, before, &device) == 0) {
		json_object_array_add(list, describe_device(policies, counts, &device));
		before = &device;
	}
	before = NULL;
	while (bpf_map_get_next_key(counts, before, &device) == 0) {
		if (bpf_map_lookup_elem(policies, &device, &id))
			json_object_array_add(list, describe_device(policies, counts, &device));
		before = &device;
	}
	return list;
}

int command_status(void)
{
	struct json_object *object = new_answer(), *missing = json_object_new_array();
	struct guard_host host;
	__u32 zero = 0;
	char tag[17];
	int map = open_map("host"), policies = open_map("policies"), counts = open_map("counts");

	for (int i = 0; i < pinned_link_count; i++) {
		int link = open_link(pinned_links[i].name);
		if (link >= 0) {
			if (!strcmp(pinned_links[i].name, "link_access") && link_tag(link, tag))
				json_object_object_add(object, "program",
						       json_object_new_string(tag));
			close(link);
		} else if (!pinned_links[i].optional || has_compat_ioctl_hook()) {
			json_object_array_add(missing,
					      json_object_new_string(pinned_links[i].name));
		}
	}
	bool maps = map >= 0 && policies >= 0 && counts >= 0 &&
		    bpf_map_lookup_elem(map, &zero, &host) == 0;
	bool whole = maps && json_object_array_length(missing) == 0;
	json_object_object_add(object, "attached", json_object_new_boolean(whole));
	json_object_object_add(object, "missing", missing);
	json_object_object_add(object, "tested",
			       json_object_new_boolean(whole && self_test() == 0));
	if (maps) {
		json_object_object_add(object, "host", describe_host(&host));
		json_object_object_add(object, "devices", describe_devices(policies, counts));
	}
	return answer(object);
}

int command_places(void)
{
	struct json_object *object = new_answer(), *list = json_object_new_array();
	struct guard_place place, *before = NULL;
	int places = open_map("places");

	if (places < 0)
		return fail("not-attached", "the guard is not attached");
	while (bpf_map_get_next_key(places, before, &place) == 0) {
		struct guard_place_counts count;
		struct json_object *item = json_object_new_object();
		if (bpf_map_lookup_elem(places, &place, &count) == 0) {
			json_object_object_add(item, "device", json_object_new_string(place.bdf));
			describe_access(item, place.region, place.write, place.offset);
			json_object_object_add(item, "outcome", describe_outcome(place.outcome));
			json_object_object_add(item, "reason", describe_reason(place.reason));
			json_object_object_add(item, "count", json_object_new_int64(count.count));
			json_object_object_add(item, "firstAt", describe_time(count.first));
			json_object_object_add(item, "lastAt", describe_time(count.last));
			json_object_array_add(list, item);
		} else {
			json_object_put(item);
		}
		before = &place;
	}
	json_object_object_add(object, "places", list);
	return answer(object);
}
