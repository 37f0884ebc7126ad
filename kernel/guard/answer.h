/* SPDX-License-Identifier: GPL-2.0 */
/* Every command answers with one JSON object on a line of its own. */
#ifndef WARDEN_ANSWER_H
#define WARDEN_ANSWER_H

#include <json-c/json.h>

/* An object with "ok": true, to be filled and given to answer(). */
struct json_object *new_answer(void);

/* Prints and frees it. Returns the exit status, 0. */
int answer(struct json_object *object);

/*
 * Prints {"ok": false, "step": ..., "problem": ...} with what libbpf said, if anything. Returns the
 * exit status, 1. `step` is one word that callers may rely on.
 */
__attribute__((format(printf, 2, 3))) int fail(const char *step, const char *format, ...);

/* Keeps the last lines of libbpf's own complaints for fail(). */
void collect_libbpf_log(void);

#endif
