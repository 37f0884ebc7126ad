// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <unistd.h>
#include "answer.h"
#include "commands.h"
#include "pins.h"

/* A map cannot be read, so without the guard this always fails; the guard answers with the count
 * that it saw. */
#define TEST_COUNT 42

int self_test(void)
{
	char buffer[TEST_COUNT];
	int map = open_map("host");

	if (map < 0)
		return map;
	ssize_t got = read(map, buffer, sizeof(buffer));
	close(map);
	return got == TEST_COUNT ? 0 : -ENODATA;
}

int command_test(void)
{
	int error = self_test();

	if (error == -ENOENT)
		return fail("not-attached", "the guard is not attached");
	if (error)
		return fail("test", "the hook did not see a read that it must see");
	return answer(new_answer());
}
