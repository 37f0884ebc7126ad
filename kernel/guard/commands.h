/* SPDX-License-Identifier: GPL-2.0 */
/* One function for each command; each prints its answer and returns the exit status. */
#ifndef WARDEN_COMMANDS_H
#define WARDEN_COMMANDS_H

#include <stdbool.h>
#include "guard.h"

/* What a guard that nobody has configured does. */
#define DEFAULT_MODE GUARD_OBSERVE

/* `again` attaches the program of this binary also where one is attached already: an upgrade. */
int command_attach(int mode, bool again);
int command_detach(bool force);
int command_test(void);
int command_status(void);
int command_places(void);
int command_apply(void);
int command_mode(const char *mode, const char *device);
int command_events(void);

/* Asks the attached program for an answer only it can give. Returns 0, or -errno. */
int self_test(void);

/* GUARD_OFF, GUARD_OBSERVE or GUARD_ENFORCE; -1 for another word. */
int mode_named(const char *word);
const char *mode_name(int mode);

/* Word of a file, as the host's switch has it; -1 where there is none or it cannot be understood.
 */
int mode_in_file(const char *path);

/* Takes the first 15 characters of a name. */
void set_prefix(struct guard_prefix *prefix, const char *name);

#endif
