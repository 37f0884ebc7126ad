// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <poll.h>
#include <sys/prctl.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "answer.h"
#include "commands.h"
#include "describe.h"
#include "pins.h"

#define WATCH_MS 1000
#define LINKS	 8

static struct {
	int descriptor;
	__u32 id;
} held[LINKS];

static void print_line(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(object);
}

/* A process names itself as it likes. */
static struct json_object *describe_comm(const char comm[16])
{
	char text[16];
	int length = 0;

	for (; length < 15 && comm[length]; length++)
		text[length] = comm[length] < 0x20 || comm[length] > 0x7e ? '?' : comm[length];
	return json_object_new_string_len(text, length);
}

static int print_event(void *context, void *data, size_t size)
{
	const struct guard_event *event = data;
	struct json_object *object = json_object_new_object();
	char value[24];

	(void)context;
	if (size < sizeof(*event))
		return 0;
	json_object_object_add(object, "event", json_object_new_string("access"));
	json_object_object_add(object, "at", describe_time(event->time));
	json_object_object_add(object, "device", json_object_new_string(event->bdf));
	describe_access(object, event->region, event->write, event->offset);
	json_object_object_add(object, "size", json_object_new_int64(event->size));
	snprintf(value, sizeof(value), "0x%llx", (unsigned long long)event->value);
	json_object_object_add(object, "value", json_object_new_string(value));
	json_object_object_add(object, "outcome", describe_outcome(event->outcome));
	json_object_object_add(object, "reason", describe_reason(event->reason));
	json_object_object_add(object, "syscall", json_object_new_int(event->syscall));
	json_object_object_add(object, "pid", json_object_new_int64(event->pid));
	json_object_object_add(object, "process", describe_comm(event->comm));
	print_line(object);
	return 0;
}

static void report_pin(const char *what, const char *name)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "event", json_object_new_string(what));
	json_object_object_add(object, "pin", json_object_new_string(name));
	print_line(object);
}

/*
 * Holding the links keeps the programs in force when a pin is removed, so that it can be put back
 * without a gap. After an upgrade the pin leads to another link, and the old one must be let go.
 */
static void watch_pin(int index)
{
	const char *name = pinned_links[index].name;
	int link = open_link(name);

	if (link >= 0) {
		__u32 id = link_id(link);
		if (held[index].descriptor > 0 && held[index].id == id) {
			close(link);
			return;
		}
		if (held[index].descriptor > 0)
			close(held[index].descriptor);
		held[index].descriptor = link;
		held[index].id = id;
		return;
	}
	if (link != -ENOENT || held[index].descriptor <= 0)
		return;
	if (bpf_obj_pin(held[index].descriptor, pin_path(name)) == 0)
		report_pin("pin-restored", name);
	else
		report_pin("pin-missing", name);
}

int command_events(void)
{
	struct pollfd parent = {.fd = STDOUT_FILENO};

	/* Not to outlive a service that was killed. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	int map = open_map("events");
	if (map < 0)
		return fail("not-attached", "the guard is not attached");
	struct ring_buffer *ring = ring_buffer__new(map, print_event, NULL, NULL);
	if (!ring)
		return fail("events", "the events cannot be read: %s", strerror(errno));
	for (;;) {
		if (access(pin_path("host"), F_OK) && errno == ENOENT &&
		    access(PIN_ROOT, F_OK) == 0) {
			/* Only detach removes the settings: give it time to remove the rest. */
			usleep(100000);
		}
		if (access(PIN_ROOT, F_OK))
			return fail("not-attached", "the guard was detached");
		for (int i = 0; i < pinned_link_count; i++)
			watch_pin(i);
		int got = ring_buffer__poll(ring, WATCH_MS);
		if (got < 0 && got != -EINTR)
			return fail("events", "the events cannot be read: %s", strerror(-got));
		if (poll(&parent, 1, 0) > 0 && (parent.revents & (POLLERR | POLLHUP | POLLNVAL)))
			return 0;
	}
}
