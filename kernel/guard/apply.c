// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "answer.h"
#include "commands.h"
#include "pins.h"
#include "rules.h"

#define MAX_INPUT   (16 << 20)
#define MAX_DEVICES 1024

/* What is asked for, all of it valid before any of it is done. */
struct request {
	bool change_host;
	struct guard_host host;
	int count;
	struct {
		struct guard_device device;
		/* NULL where the rules are to be removed. */
		struct guard_policy *policy;
	} device[MAX_DEVICES];
};

static char *read_input(void)
{
	size_t used = 0, room = 65536;
	char *text = malloc(room);

	while (text && used < MAX_INPUT) {
		size_t got = fread(text + used, 1, room - used - 1, stdin);
		used += got;
		if (got == 0) {
			text[used] = 0;
			return text;
		}
		if (used + 1 == room) {
			char *more = realloc(text, room *= 2);
			if (!more)
				break;
			text = more;
		}
	}
	free(text);
	return NULL;
}

static bool is_bdf(const char *text)
{
	unsigned int domain, bus, slot, function;
	char again[GUARD_BDF_SIZE + 8];

	if (sscanf(text, "%8x:%2x:%2x.%1x", &domain, &bus, &slot, &function) != 4 || slot > 0x1f ||
	    function > 7)
		return false;
	snprintf(again, sizeof(again), "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return !strcmp(text, again);
}

/* Takes a string of an object; false where it is there, but no string. */
static bool get_text(struct json_object *object, const char *name, const char **text)
{
	struct json_object *value;

	*text = NULL;
	if (!json_object_object_get_ex(object, name, &value))
		return true;
	if (!json_object_is_type(value, json_type_string))
		return false;
	*text = json_object_get_string(value);
	return true;
}

/* A word of two that stand for 0 and 1. */
static bool get_choice(struct json_object *object, const char *name, const char *zero,
		       const char *one, __u8 *to)
{
	const char *text;

	if (!get_text(object, name, &text))
		return false;
	if (!text)
		return true;
	*to = !strcmp(text, one);
	return *to || !strcmp(text, zero);
}

static bool get_mode(struct json_object *object, const char *name, __u8 *to)
{
	const char *text;

	if (!get_text(object, name, &text))
		return false;
	if (!text)
		return true;
	int mode = mode_named(text);
	*to = mode;
	return mode >= 0;
}

static bool known_fields(struct json_object *object, const char *const *names)
{
	json_object_object_foreach(object, name, value)
	{
		const char *const *known = names;
		(void)value;
		while (*known && strcmp(*known, name))
			known++;
		if (!*known)
			return false;
	}
	return true;
}

static int take_host(struct json_object *object, struct guard_host *host)
{
	static const char *const fields[] = {"mode",	   "outside",	  "answer",
					     "unassigned", "hypervisors", NULL};
	static const char *const directions[] = {"read", "write", NULL};
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) || !known_fields(object, fields))
		return fail("input", "host: write mode, outside, answer, unassigned, hypervisors");
	if (!get_mode(object, "mode", &host->mode) || !get_mode(object, "outside", &host->outside))
		return fail("input", "host: a mode is off, observe or enforce");
	if (!get_choice(object, "answer", "drop", "deny", &host->deny))
		return fail("input", "host.answer: write drop or deny");
	if (json_object_object_get_ex(object, "unassigned", &value)) {
		if (!json_object_is_type(value, json_type_object) ||
		    !known_fields(value, directions) ||
		    !get_choice(value, "read", "allow", "block", &host->unassigned_read) ||
		    !get_choice(value, "write", "allow", "block", &host->unassigned_write))
			return fail("input",
				    "host.unassigned: write read and write, each allow or block");
	}
	if (json_object_object_get_ex(object, "hypervisors", &value)) {
		if (!json_object_is_type(value, json_type_array) ||
		    json_object_array_length(value) > GUARD_HYPERVISORS)
			return fail("input", "host.hypervisors: write at most %d names",
				    GUARD_HYPERVISORS);
		memset(host->hypervisor, 0, sizeof(host->hypervisor));
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			const char *name =
				json_object_get_string(json_object_array_get_idx(value, i));
			if (!name || !*name || strlen(name) > 15)
				return fail("input",
					    "host.hypervisors: a name has 1 to 15 characters");
			set_prefix(&host->hypervisor[i], name);
		}
	}
	return 0;
}

static int take_device(struct json_object *object, struct request *request)
{
	static const char *const fields[] = {"device", "mode", "answer", "rules", NULL};
	const char *bdf, *rules;
	char problem[512];

	if (!json_object_is_type(object, json_type_object) || !known_fields(object, fields) ||
	    !get_text(object, "device", &bdf) || !bdf || !is_bdf(bdf))
		return fail("input",
			    "devices: write device (0000:01:00.0), mode, answer and rules");
	if (!get_text(object, "rules", &rules) || !rules)
		return fail("input", "%s: its rules are missing", bdf);
	struct guard_policy *policy = malloc(sizeof(*policy));
	if (!policy)
		return fail("memory", "out of memory");
	strcpy(request->device[request->count].device.bdf, bdf);
	request->device[request->count++].policy = policy;
	if (parse_rules(rules, policy, problem, sizeof(problem)))
		return fail("input", "%s: %s", bdf, problem);
	policy->mode = GUARD_ENFORCE;
	if (!get_mode(object, "mode", &policy->mode) ||
	    !get_choice(object, "answer", "drop", "deny", &policy->deny))
		return fail("input", "%s: mode is off, observe or enforce, answer drop or deny",
			    bdf);
	return 0;
}

static int take_request(struct json_object *document, struct request *request)
{
	static const char *const fields[] = {"host", "devices", "remove", NULL};
	struct json_object *value;

	if (!json_object_is_type(document, json_type_object) || !known_fields(document, fields))
		return fail("input", "write an object with host, devices, remove");
	if (json_object_object_get_ex(document, "host", &value)) {
		request->change_host = true;
		if (take_host(value, &request->host))
			return 1;
	}
	static const char *const lists[] = {"devices", "remove"};
	for (int list = 0; list < 2; list++) {
		if (!json_object_object_get_ex(document, lists[list], &value))
			continue;
		if (!json_object_is_type(value, json_type_array) ||
		    json_object_array_length(value) + request->count > MAX_DEVICES)
			return fail("input", "%s: write a list of at most %d", lists[list],
				    MAX_DEVICES);
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			struct json_object *item = json_object_array_get_idx(value, i);
			if (list == 0) {
				if (take_device(item, request))
					return 1;
				continue;
			}
			const char *bdf = json_object_get_string(item);
			if (!bdf || !is_bdf(bdf))
				return fail("input",
					    "remove: write addresses such as 0000:01:00.0");
			strcpy(request->device[request->count++].device.bdf, bdf);
		}
	}
	return 0;
}

/* A map of its own for each version of a device's rules: what is being judged by the old one is not
 * torn. */
static int set_policy(int policies, const struct guard_device *device,
		      const struct guard_policy *policy)
{
	__u32 zero = 0;
	int error = 0;

	if (!policy) {
		if (bpf_map_delete_elem(policies, device) && errno != ENOENT)
			error = -errno;
		return error;
	}
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy", sizeof(zero), sizeof(*policy), 1,
				   NULL);
	if (inner < 0)
		return -errno;
	if (bpf_map_update_elem(inner, &zero, policy, BPF_ANY) ||
	    bpf_map_update_elem(policies, device, &inner, BPF_ANY))
		error = -errno;
	close(inner);
	return error;
}

static int carry_out(struct request *request, int host, int policies)
{
	__u32 zero = 0;

	for (int i = 0; i < request->count; i++) {
		int error =
			set_policy(policies, &request->device[i].device, request->device[i].policy);
		if (error)
			return fail("maps", "%s: %s", request->device[i].device.bdf,
				    strerror(-error));
	}
	if (request->change_host && bpf_map_update_elem(host, &zero, &request->host, BPF_ANY))
		return fail("maps", "the settings cannot be written: %s", strerror(errno));
	struct json_object *object = new_answer();
	json_object_object_add(object, "changed", json_object_new_int(request->count));
	return answer(object);
}

int command_apply(void)
{
	static struct request request;
	__u32 zero = 0;
	int host = open_map("host"), policies = open_map("policies");

	if (host < 0 || policies < 0 || bpf_map_lookup_elem(host, &zero, &request.host))
		return fail("not-attached", "the guard is not attached");
	char *text = read_input();
	struct json_object *document = text ? json_tokener_parse(text) : NULL;
	free(text);
	if (!document)
		return fail("input", "standard input holds no JSON");
	int status = take_request(document, &request);
	if (!status)
		status = carry_out(&request, host, policies);
	json_object_put(document);
	return status;
}

int command_mode(const char *word, const char *bdf)
{
	__u32 zero = 0, id;
	struct guard_host settings;
	int mode = mode_named(word), host = open_map("host");

	if (mode < 0)
		return fail("input", "%.20s is no mode: write off, observe or enforce", word);
	if (host < 0 || bpf_map_lookup_elem(host, &zero, &settings))
		return fail("not-attached", "the guard is not attached");
	if (!bdf) {
		settings.mode = mode;
		if (bpf_map_update_elem(host, &zero, &settings, BPF_ANY))
			return fail("maps", "the mode cannot be written: %s", strerror(errno));
		return answer(new_answer());
	}
	struct guard_device device = {};
	static struct guard_policy policy;
	if (!is_bdf(bdf))
		return fail("input", "%.20s is no address: write 0000:01:00.0", bdf);
	strcpy(device.bdf, bdf);
	int policies = open_map("policies");
	if (policies < 0 || bpf_map_lookup_elem(policies, &device, &id))
		return fail("no-rules", "%s has no rules of its own, so the host's mode counts",
			    bdf);
	int inner = bpf_map_get_fd_by_id(id);
	if (inner < 0 || bpf_map_lookup_elem(inner, &zero, &policy))
		return fail("maps", "%s: its rules cannot be read: %s", bdf, strerror(errno));
	policy.mode = mode;
	int error = set_policy(policies, &device, &policy);
	return error ? fail("maps", "%s: %s", bdf, strerror(-error)) : answer(new_answer());
}
