// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "pins.h"

const struct pinned_link pinned_links[] = {
	{"link_hold", false},
	{"link_access", false},
	{"link_ioctl", false},
	{"link_ioctl_compat", true},
};
const int pinned_link_count = sizeof(pinned_links) / sizeof(pinned_links[0]);

const char *pin_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), PIN_ROOT "/%s", name);
	return path;
}

int open_map(const char *name)
{
	int descriptor = bpf_obj_get(pin_path(name));

	return descriptor < 0 ? -errno : descriptor;
}

int open_link(const char *name)
{
	return open_map(name);
}

__u32 link_id(int descriptor)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(descriptor, &info, &size) ? 0 : info.id;
}

bool link_tag(int descriptor, char tag[17])
{
	struct bpf_link_info link = {};
	struct bpf_prog_info program = {};
	__u32 size = sizeof(link);

	if (bpf_obj_get_info_by_fd(descriptor, &link, &size))
		return false;
	int at = bpf_prog_get_fd_by_id(link.prog_id);
	if (at < 0)
		return false;
	size = sizeof(program);
	int error = bpf_obj_get_info_by_fd(at, &program, &size);
	close(at);
	if (error)
		return false;
	for (int i = 0; i < 8; i++)
		sprintf(tag + 2 * i, "%02x", program.tag[i]);
	return true;
}

bool has_compat_ioctl_hook(void)
{
	return libbpf_find_vmlinux_btf_id("security_file_ioctl_compat", BPF_MODIFY_RETURN) > 0;
}
