// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "answer.h"

#define LOG_SIZE 4096

static char log_text[LOG_SIZE];

static int collect(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *line;

	if (level == LIBBPF_DEBUG)
		return 0;
	int length = vasprintf(&line, format, arguments);
	if (length < 0)
		return 0;
	/* The end tells why; the beginning of a verifier's log does not. */
	const char *rest = length < LOG_SIZE ? line : line + length - (LOG_SIZE - 1);
	size_t added = strlen(rest), used = strlen(log_text);
	size_t drop = used + added < LOG_SIZE ? 0 : used + added + 1 - LOG_SIZE;
	memmove(log_text, log_text + drop, used - drop + 1);
	memcpy(log_text + used - drop, rest, added + 1);
	free(line);
	return length;
}

void collect_libbpf_log(void)
{
	libbpf_set_print(collect);
}

struct json_object *new_answer(void)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "ok", json_object_new_boolean(1));
	return object;
}

int answer(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	fflush(stdout);
	json_object_put(object);
	return 0;
}

int fail(const char *step, const char *format, ...)
{
	char problem[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem, sizeof(problem), format, arguments);
	va_end(arguments);
	struct json_object *object = json_object_new_object();
	json_object_object_add(object, "ok", json_object_new_boolean(0));
	json_object_object_add(object, "step", json_object_new_string(step));
	json_object_object_add(object, "problem", json_object_new_string(problem));
	if (log_text[0])
		json_object_object_add(object, "log", json_object_new_string(log_text));
	answer(object);
	return 1;
}
