// SPDX-License-Identifier: GPL-2.0
/* warden-guard: the user's end of the guard in the kernel. Each command answers with JSON;
 * README.md describes them. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "answer.h"
#include "commands.h"

static const char usage[] = "usage: warden-guard attach [--mode MODE | --mode-file FILE]\n"
			    "       warden-guard upgrade\n"
			    "       warden-guard detach [--force]\n"
			    "       warden-guard apply < DOCUMENT\n"
			    "       warden-guard mode MODE [DEVICE] | mode --file FILE\n"
			    "       warden-guard status | places | events | test\n"
			    "MODE is off, observe or enforce; DEVICE such as 0000:01:00.0.\n";

static int misused(void)
{
	fputs(usage, stderr);
	return 2;
}

static int attach(int count, char **argument)
{
	int mode = -1;

	if (count == 2 && !strcmp(argument[0], "--mode")) {
		mode = mode_named(argument[1]);
		if (mode < 0)
			return misused();
	} else if (count == 2 && !strcmp(argument[0], "--mode-file")) {
		mode = mode_in_file(argument[1]);
	} else if (count) {
		return misused();
	}
	return command_attach(mode, false);
}

static int mode(int count, char **argument)
{
	if (count == 2 && !strcmp(argument[0], "--file")) {
		int named = mode_in_file(argument[1]);
		if (named < 0)
			return fail("input", "%s holds no mode: the guard stays as it is",
				    argument[1]);
		return command_mode(mode_name(named), NULL);
	}
	if (count < 1 || count > 2)
		return misused();
	return command_mode(argument[0], count == 2 ? argument[1] : NULL);
}

int main(int count, char **argument)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	const char *command = count > 1 ? argument[1] : "";

	/* Before Linux 5.11 maps count as locked memory. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	collect_libbpf_log();
	argument += 2;
	count -= 2;
	if (!strcmp(command, "attach"))
		return attach(count, argument);
	if (!strcmp(command, "mode"))
		return mode(count, argument);
	if (!strcmp(command, "detach"))
		return command_detach(count == 1 && !strcmp(argument[0], "--force"));
	if (count != 0)
		return misused();
	if (!strcmp(command, "upgrade"))
		return command_attach(-1, true);
	if (!strcmp(command, "apply"))
		return command_apply();
	if (!strcmp(command, "status"))
		return command_status();
	if (!strcmp(command, "places"))
		return command_places();
	if (!strcmp(command, "events"))
		return command_events();
	if (!strcmp(command, "test"))
		return command_test();
	return misused();
}
