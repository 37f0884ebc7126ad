/* SPDX-License-Identifier: GPL-2.0 */
/* The words for what the maps and events hold. */
#ifndef WARDEN_DESCRIBE_H
#define WARDEN_DESCRIBE_H

#include <json-c/json.h>
#include "guard.h"

struct json_object *describe_effect(int block);
struct json_object *describe_outcome(int outcome);
struct json_object *describe_reason(int reason);

/* ns since boot, as ms since 1970. */
struct json_object *describe_time(__u64 since_boot);

/* Adds access, region and offset; of an ioctl its request. */
void describe_access(struct json_object *object, int region, int write, __u64 offset);

#endif
