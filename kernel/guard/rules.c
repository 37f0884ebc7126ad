// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rules.h"

#define MAX_RULES      512
#define MAX_BAR_RULES  16
#define MAX_BAR_OFFSET ((1ULL << 40) - 1)
#define MAX_FIELDS     5

struct bar_rule {
	__u64 from, to;
	__u8 bar, directions;
	bool block;
};

struct parser {
	struct guard_policy *policy;
	struct bar_rule bar_rule[MAX_BAR_RULES];
	int bar_rules, rules, statement, conditional;
	char *problem;
	size_t size;
};

enum { READ = 1, WRITE = 2 };

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format,
							...)
{
	va_list arguments;
	int used = snprintf(parser->problem, parser->size,
			    "access rules, statement %d: ", parser->statement);

	va_start(arguments, format);
	if (used > 0 && (size_t)used < parser->size)
		vsnprintf(parser->problem + used, parser->size - used, format, arguments);
	va_end(arguments);
	return -1;
}

/* Lower-case hexadecimal of 1 to `digits` digits up to `end`; false for anything else. */
static bool parse_hex(const char *text, const char *end, int digits, __u64 *value)
{
	if (text == end || end - text > digits)
		return false;
	for (*value = 0; text < end; text++) {
		if (*text >= '0' && *text <= '9')
			*value = *value * 16 + (*text - '0');
		else if (*text >= 'a' && *text <= 'f')
			*value = *value * 16 + (*text - 'a' + 10);
		else
			return false;
	}
	return true;
}

static int parse_directions(struct parser *parser, const char *text)
{
	if (!strcmp(text, "r"))
		return READ;
	if (!strcmp(text, "w"))
		return WRITE;
	if (!strcmp(text, "rw"))
		return READ | WRITE;
	return refuse(parser, "%.20s is no direction: write r, w or rw", text);
}

static int parse_effect(struct parser *parser, const char *text)
{
	if (!strcmp(text, "block"))
		return 1;
	if (!strcmp(text, "allow"))
		return 0;
	return refuse(parser, "%.20s is no effect: write allow or block", text);
}

static int parse_unassigned(struct parser *parser, char **field, int fields)
{
	if (fields != 3)
		return refuse(parser, "it is not complete: write unassigned:w:block");
	int directions = parse_directions(parser, field[1]);
	int block = parse_effect(parser, field[2]);
	if (directions < 0 || block < 0)
		return -1;
	if (directions & READ)
		parser->policy->unassigned_read = block;
	if (directions & WRITE)
		parser->policy->unassigned_write = block;
	return 0;
}

static int parse_ioctl(struct parser *parser, char **field, int fields)
{
	if (fields != 3 || strcmp(field[2], "block"))
		return refuse(parser, "a request is only blocked: write ioctl:reset:block");
	if (!strcmp(field[1], "reset"))
		parser->policy->ioctls |= GUARD_IOCTL_RESET;
	else if (!strcmp(field[1], "ioeventfd"))
		parser->policy->ioctls |= GUARD_IOCTL_IOEVENTFD;
	else if (!strcmp(field[1], "low-power"))
		parser->policy->ioctls |= GUARD_IOCTL_LOW_POWER;
	else
		return refuse(parser, "%.20s is no request: write reset, ioeventfd or low-power",
			      field[1]);
	return 0;
}

/* A rule without condition has the last word on a byte over all that came before it. */
static void set_bytes(struct guard_policy *policy, __u64 from, __u64 to, int directions, bool block)
{
	__u8 what = block ? GUARD_BLOCK : GUARD_ALLOW;

	for (__u64 at = from; at <= to; at++) {
		if (directions & READ) {
			policy->byte[at] &= ~(GUARD_BYTE_MASK << GUARD_READ_SHIFT);
			policy->byte[at] |= what << GUARD_READ_SHIFT;
		}
		if (directions & WRITE) {
			policy->byte[at] &=
				~(GUARD_BYTE_MASK << GUARD_WRITE_SHIFT | GUARD_CONDITIONAL);
			policy->byte[at] |= what << GUARD_WRITE_SHIFT;
		}
	}
	if (!(directions & WRITE))
		return;
	__u32 kept = 0;
	for (__u32 i = 0; i < policy->conditions; i++) {
		if (policy->condition[i].offset < from || policy->condition[i].offset > to)
			policy->condition[kept++] = policy->condition[i];
	}
	policy->conditions = kept;
}

static int parse_condition(struct parser *parser, const char *text, __u64 from, __u64 to,
			   bool block)
{
	struct guard_policy *policy = parser->policy;
	const char *equals = strchr(text, '=');
	__u64 mask, value;

	if (!equals || !parse_hex(text, equals, 2, &mask) ||
	    !parse_hex(equals + 1, text + strlen(text), 2, &value))
		return refuse(parser, "%.20s is no condition: write MASK=VALUE in hexadecimal",
			      text);
	if (mask == 0 || (value & ~mask))
		return refuse(parser, "%.20s holds always or never: correct the mask", text);
	parser->conditional += to - from + 1;
	if (to - from >= GUARD_CONDITIONS || parser->conditional > GUARD_CONDITIONS)
		return refuse(parser, "rules with a condition cover more than %d bytes",
			      GUARD_CONDITIONS);
	for (__u64 at = from; at <= to; at++) {
		policy->byte[at] |= GUARD_CONDITIONAL;
		policy->condition[policy->conditions++] = (struct guard_condition){
			.offset = at, .mask = mask, .value = value, .block = block};
	}
	return 0;
}

static int parse_access(struct parser *parser, char **field, int fields)
{
	bool config = !strcmp(field[0], "cfg");
	__u64 last = config ? GUARD_CONFIG_SIZE - 1 : MAX_BAR_OFFSET;
	__u64 from, to;

	if (fields < 4)
		return refuse(parser, "it is not complete: write %s:FROM-TO:w:block", field[0]);
	char *dash = strchr(field[1], '-');
	char *end = field[1] + strlen(field[1]);
	if (!parse_hex(field[1], dash ? dash : end, 10, &from) ||
	    (dash && !parse_hex(dash + 1, end, 10, &to)))
		return refuse(parser, "%.20s is no range: write hexadecimal offsets: 69 or 800-8ff",
			      field[1]);
	if (!dash)
		to = from;
	if (from > to || to > last)
		return refuse(parser, "%.20s does not lie in the region", field[1]);
	int directions = parse_directions(parser, field[2]);
	int block = parse_effect(parser, field[3]);
	if (directions < 0 || block < 0)
		return -1;
	if (++parser->rules > MAX_RULES)
		return refuse(parser, "there are more than %d rules", MAX_RULES);
	if (fields == 5) {
		if (!config || directions != WRITE)
			return refuse(parser, "only a rule on writes to cfg has a condition");
		return parse_condition(parser, field[4], from, to, block);
	}
	if (config) {
		set_bytes(parser->policy, from, to, directions, block);
		return 0;
	}
	if (parser->bar_rules == MAX_BAR_RULES)
		return refuse(parser, "more than %d rules are about BARs", MAX_BAR_RULES);
	parser->bar_rule[parser->bar_rules++] = (struct bar_rule){
		.from = from,
		.to = to,
		.bar = field[0][3] - '0',
		.directions = directions,
		.block = block,
	};
	return 0;
}

static int parse_statement(struct parser *parser, char *statement)
{
	char *field[MAX_FIELDS] = {statement};
	int fields = 0;

	for (char *rest = statement; rest;) {
		if (fields == MAX_FIELDS)
			return refuse(parser, "it has too many fields");
		field[fields++] = strsep(&rest, ":");
	}
	if (!strcmp(field[0], "unassigned"))
		return parse_unassigned(parser, field, fields);
	if (!strcmp(field[0], "ioctl"))
		return parse_ioctl(parser, field, fields);
	bool bar = !strncmp(field[0], "bar", 3) && field[0][3] >= '0' && field[0][3] <= '5' &&
		   !field[0][4];
	if (bar || !strcmp(field[0], "cfg"))
		return parse_access(parser, field, fields);
	return refuse(parser,
		      "it begins with %.20s, not with unassigned, ioctl, cfg or bar0 to bar5",
		      field[0]);
}

/* Whether the last rule that covers a byte of a BAR blocks it. */
static bool blocks(const struct parser *parser, __u8 bar, int direction, __u64 at)
{
	for (int i = parser->bar_rules - 1; i >= 0; i--) {
		const struct bar_rule *rule = &parser->bar_rule[i];
		if (rule->bar == bar && (rule->directions & direction) && at >= rule->from &&
		    at <= rule->to)
			return rule->block;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	__u64 left = *(const __u64 *)a, right = *(const __u64 *)b;

	return left < right ? -1 : left > right;
}

/* Turns rules of which the last one counts into ranges that do not overlap: what is blocked between
 * any two edges. */
static void flatten_bars(struct parser *parser)
{
	struct guard_policy *policy = parser->policy;

	for (__u8 bar = 0; bar < 6; bar++) {
		for (int direction = READ; direction <= WRITE; direction++) {
			__u64 edge[2 * MAX_BAR_RULES];
			int edges = 0;
			for (int i = 0; i < parser->bar_rules; i++) {
				const struct bar_rule *rule = &parser->bar_rule[i];
				if (rule->bar != bar || !(rule->directions & direction))
					continue;
				edge[edges++] = rule->from;
				edge[edges++] = rule->to + 1;
			}
			qsort(edge, edges, sizeof(edge[0]), compare);
			struct guard_bar_range *open = NULL;
			for (int i = 0; i + 1 < edges; i++) {
				if (edge[i] == edge[i + 1])
					continue;
				if (!blocks(parser, bar, direction, edge[i])) {
					open = NULL;
				} else if (open) {
					open->to = edge[i + 1] - 1;
				} else {
					open = &policy->bar_range[policy->bar_ranges++];
					*open = (struct guard_bar_range){
						.from = edge[i],
						.to = edge[i + 1] - 1,
						.bar = bar,
						.write = direction == WRITE,
					};
				}
			}
		}
	}
}

int parse_rules(const char *text, struct guard_policy *policy, char *problem, size_t size)
{
	struct parser parser = {.policy = policy, .problem = problem, .size = size};
	size_t length = strlen(text);

	if (length >= GUARD_TEXT_SIZE)
		return refuse(&parser, "the rules are longer than %d characters",
			      GUARD_TEXT_SIZE - 1);
	memset(policy, 0, sizeof(*policy));
	policy->unassigned_write = 1;
	memcpy(policy->text, text, length);
	char *copy = strdup(text);
	if (!copy)
		return refuse(&parser, "out of memory");
	int result = 0;
	for (char *rest = copy; rest && !result;) {
		parser.statement++;
		result = parse_statement(&parser, strsep(&rest, ";"));
	}
	free(copy);
	if (!result)
		flatten_bars(&parser);
	return result;
}
