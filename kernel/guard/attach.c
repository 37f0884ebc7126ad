// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "answer.h"
#include "commands.h"
#include "guard.skel.h"
#include "pins.h"

#define BPF_FS_MAGIC_NUMBER 0xcafe4a11

static const char *const pinned_maps[] = {"host", "policies", "counts", "places", "events"};
/* Names that QEMU and others run under. */
static const char *const hypervisors[] = {"qemu", "kvm", "cloud-hyp"};
#define MAPS (sizeof(pinned_maps) / sizeof(pinned_maps[0]))

/* The structures of a module can only be found while it is there. */
static void load_vfio(void)
{
	pid_t child = fork();

	if (child == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execlp("modprobe", "modprobe", "-q", "vfio-pci", (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void lockdown(char *state, size_t size)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");

	snprintf(state, size, "unknown");
	if (!file)
		return;
	char line[128], *open, *close;
	if (fgets(line, sizeof(line), file) && (open = strchr(line, '[')) &&
	    (close = strchr(open, ']')))
		snprintf(state, size, "%.*s", (int)(close - open - 1), open + 1);
	fclose(file);
}

static int mount_bpffs(void)
{
	struct statfs at;

	if (statfs(BPFFS, &at))
		return -errno;
	if ((unsigned long)at.f_type != BPF_FS_MAGIC_NUMBER &&
	    mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
		return -errno;
	if (mkdir(PIN_ROOT, 0700) && errno != EEXIST)
		return -errno;
	return 0;
}

static bool attached(void)
{
	for (int i = 0; i < pinned_link_count; i++) {
		if (pinned_links[i].optional && !has_compat_ioctl_hook())
			continue;
		int link = open_link(pinned_links[i].name);
		if (link < 0)
			return false;
		close(link);
	}
	return self_test() == 0;
}

/* A guard that nobody has set up blocks nothing yet, but counts what it would block. */
static int set_defaults(int map, int mode)
{
	__u32 zero = 0;
	struct guard_host host;

	if (bpf_map_lookup_elem(map, &zero, &host))
		return -errno;
	if (host.layout == GUARD_LAYOUT && mode < 0)
		return 0;
	if (host.layout != GUARD_LAYOUT) {
		host = (struct guard_host){
			.layout = GUARD_LAYOUT,
			.mode = DEFAULT_MODE,
			.outside = GUARD_OBSERVE,
			.unassigned_write = 1,
		};
		for (size_t i = 0; i < sizeof(hypervisors) / sizeof(hypervisors[0]); i++)
			set_prefix(&host.hypervisor[i], hypervisors[i]);
	}
	if (mode >= 0)
		host.mode = mode;
	return bpf_map_update_elem(map, &zero, &host, BPF_ANY) ? -errno : 0;
}

/* In the order of `pinned_links`. */
static struct bpf_program *program_of(struct guard_bpf *guard, int index)
{
	struct bpf_program *const programs[] = {
		guard->progs.guard_hold,
		guard->progs.guard_access,
		guard->progs.guard_ioctl,
		guard->progs.guard_ioctl_compat,
	};
	return programs[index];
}

/* The new program is in force before the old one's pin is replaced, which ends the old one. */
static int pin_over(struct bpf_link *link, const char *name)
{
	char draft[256], place[256];

	snprintf(draft, sizeof(draft), PIN_ROOT "/%s_new", name);
	snprintf(place, sizeof(place), PIN_ROOT "/%s", name);
	unlink(draft);
	if (bpf_obj_pin(bpf_link__fd(link), draft))
		return -errno;
	if (rename(draft, place) == 0)
		return 0;
	int error = -errno;
	unlink(draft);
	return error;
}

static void remove_maps(void)
{
	for (size_t i = 0; i < MAPS; i++)
		unlink(pin_path(pinned_maps[i]));
	rmdir(PIN_ROOT);
}

static int load_failure(int error, bool had_maps)
{
	char state[64];

	lockdown(state, sizeof(state));
	if (had_maps && (error == -EINVAL || error == -EEXIST))
		return fail("load",
			    "it cannot be loaded on the maps in " PIN_ROOT
			    ", which may be another version's: %s (lockdown: %s)",
			    strerror(-error), state);
	return fail("load", "the kernel did not take the program: %s (lockdown: %s)",
		    strerror(-error), state);
}

static int attach_programs(struct guard_bpf *guard, bool had_maps, int mode)
{
	int error = guard_bpf__load(guard);

	if (error)
		return load_failure(error, had_maps);
	error = set_defaults(bpf_map__fd(guard->maps.host), mode);
	if (error)
		return fail("maps", "the settings cannot be written: %s", strerror(-error));
	struct bpf_link *link[8] = {};
	for (int i = 0; i < pinned_link_count; i++) {
		if (!bpf_program__autoload(program_of(guard, i)))
			continue;
		link[i] = bpf_program__attach(program_of(guard, i));
		if (!link[i])
			return fail("attach", "%s: %s", bpf_program__name(program_of(guard, i)),
				    strerror(errno));
	}
	if (self_test())
		return fail("test", "the hook did not see a read that it must see");
	for (int i = 0; i < pinned_link_count; i++) {
		if (!link[i])
			continue;
		error = pin_over(link[i], pinned_links[i].name);
		if (error)
			return fail("pin", "%s: %s", pin_path(pinned_links[i].name),
				    strerror(-error));
	}
	return 0;
}

int command_attach(int mode, bool again)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return fail("btf",
			    "this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
	if (!again && attached()) {
		int map = open_map("host");
		int error = map < 0 ? map : set_defaults(map, mode);
		if (error)
			return fail("maps", "the settings cannot be written: %s", strerror(-error));
		struct json_object *object = new_answer();
		json_object_object_add(object, "attached", json_object_new_string("before"));
		return answer(object);
	}
	load_vfio();
	if (access("/sys/module/vfio_pci_core", F_OK))
		return fail("modules", "vfio-pci-core cannot be loaded (modprobe vfio-pci)");
	int error = mount_bpffs();
	if (error)
		return fail("bpffs", "%s cannot be used: %s", PIN_ROOT, strerror(-error));
	bool had_maps = access(pin_path("host"), F_OK) == 0;

	LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = PIN_ROOT);
	struct guard_bpf *guard = guard_bpf__open_opts(&options);
	if (!guard)
		return fail("load", "the program cannot be opened: %s", strerror(errno));
	if (!has_compat_ioctl_hook())
		bpf_program__set_autoload(guard->progs.guard_ioctl_compat, false);
	int status = attach_programs(guard, had_maps, mode);
	if (status) {
		/* Never half on: what was pinned before stays as it was, what is new goes. */
		guard_bpf__destroy(guard);
		if (!had_maps)
			remove_maps();
		return status;
	}
	struct json_object *object = new_answer();
	json_object_object_add(object, "attached", json_object_new_string("now"));
	answer(object);
	/* The pins hold what was made. */
	guard_bpf__destroy(guard);
	return 0;
}

/* Name of something bound to VFIO, or an empty string. */
static void find_vfio_user(char *name, size_t size)
{
	static const char *const directories[] = {"/dev/vfio", "/dev/vfio/devices"};

	name[0] = 0;
	for (int i = 0; i < 2; i++) {
		DIR *directory = opendir(directories[i]);
		if (!directory)
			continue;
		for (struct dirent *entry; !name[0] && (entry = readdir(directory));) {
			if (entry->d_type == DT_CHR && strcmp(entry->d_name, "vfio"))
				snprintf(name, size, "%s/%s", directories[i], entry->d_name);
		}
		closedir(directory);
	}
}

int command_detach(bool force)
{
	char user[300];

	find_vfio_user(user, sizeof(user));
	if (user[0] && !force)
		return fail(
			"in-use",
			"functions are bound to VFIO (%s): unbind them, or turn the mode to off",
			user);
	/* Whoever watches the pins sees from the missing settings that this was meant. */
	unlink(pin_path("host"));
	for (int i = 0; i < pinned_link_count; i++)
		unlink(pin_path(pinned_links[i].name));
	remove_maps();
	if (access(PIN_ROOT, F_OK) == 0)
		return fail("pin", "%s is still there", PIN_ROOT);
	return answer(new_answer());
}
