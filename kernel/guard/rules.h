/* SPDX-License-Identifier: GPL-2.0 */
#ifndef WARDEN_RULES_H
#define WARDEN_RULES_H

#include <stddef.h>
#include <linux/types.h>
#include "guard.h"

/*
 * Reads the text form of access rules (src/mitigation/access-rules/README.md) into a policy, all
 * but its mode and its answer. Returns 0, or -1 with a problem that names the statement.
 */
int parse_rules(const char *text, struct guard_policy *policy, char *problem, size_t size);

#endif
