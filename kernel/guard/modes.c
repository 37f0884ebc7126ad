// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include "commands.h"

static const char *const names[] = {"off", "observe", "enforce"};

int mode_named(const char *word)
{
	for (int mode = GUARD_OFF; mode <= GUARD_ENFORCE; mode++) {
		if (!strcmp(word, names[mode]))
			return mode;
	}
	return -1;
}

const char *mode_name(int mode)
{
	return mode >= GUARD_OFF && mode <= GUARD_ENFORCE ? names[mode] : "unknown";
}

int mode_in_file(const char *path)
{
	char word[64];
	FILE *file = fopen(path, "re");

	if (!file)
		return -1;
	int read = fscanf(file, "%63s", word);
	fclose(file);
	return read == 1 ? mode_named(word) : -1;
}

void set_prefix(struct guard_prefix *prefix, const char *name)
{
	size_t length = strnlen(name, 15);

	memset(prefix, 0, sizeof(*prefix));
	memcpy(prefix->text, name, length);
	memset(prefix->mask, 0xff, length);
}
