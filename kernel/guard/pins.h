/* SPDX-License-Identifier: GPL-2.0 */
/* What is pinned in bpffs, so that it outlives every process of ours. */
#ifndef WARDEN_PINS_H
#define WARDEN_PINS_H

#include <stdbool.h>
#include <linux/types.h>

#define BPFFS	 "/sys/fs/bpf"
#define PIN_ROOT BPFFS "/vfio-warden"

/* In the order in which they are attached. `optional` ones are not there on kernels without such a
 * hook. */
struct pinned_link {
	const char *name;
	bool optional;
};
extern const struct pinned_link pinned_links[];
extern const int pinned_link_count;

/* Path of a pin; of a static buffer, valid until the next call. */
const char *pin_path(const char *name);

/* Descriptor of a pinned map, or -errno. */
int open_map(const char *name);

/* Descriptor of a pinned link, or -errno. */
int open_link(const char *name);

/* Id of the link behind a descriptor, 0 where it cannot be told. */
__u32 link_id(int descriptor);

/* Tag of the program behind a link's descriptor as 16 digits, or false. */
bool link_tag(int descriptor, char tag[17]);

/* Whether this kernel has the hook for 32-bit ioctls. */
bool has_compat_ioctl_hook(void);

#endif
