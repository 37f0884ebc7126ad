// SPDX-License-Identifier: GPL-2.0
/*
 * replay BDF < ACCESSES: opens a vfio device as a process of its own and makes the accesses that
 * standard input lists, one a line: `w REGION OFFSET HEXBYTES`, `r REGION OFFSET SIZE`, `ioctl
 * NUMBER`, `call NAME` (another system call that reads or writes the first byte of config space),
 * `mode MODE` (of the host), `time zero|read|write COUNT` (ns for a
 * 1-byte read of /dev/zero, a 4-byte read and a 1-byte write of config space). For each it prints
 * what the call gave, and what the guard counted: `pass`, `blocked` or `observed`; `none` where it
 * is not there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <linux/vfio.h>
#include <bpf/bpf.h>
#include "../guard.h"

#define PINS "/sys/fs/bpf/vfio-warden/"

static int device, counts = -1, host = -1;
static struct guard_device key;

static int open_device(const char *bdf)
{
	char path[256], link[256];
	int container = open("/dev/vfio/vfio", O_RDWR);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", bdf);
	ssize_t length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return -1;
	link[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	int group = open(path, O_RDWR);
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU))
		return -1;
	return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf);
}

static struct guard_counts counted(void)
{
	struct guard_counts now = {0};

	if (counts < 0)
		counts = bpf_obj_get(PINS "counts");
	if (counts >= 0)
		bpf_map_lookup_elem(counts, &key, &now);
	return now;
}

static off_t position(const char *region, unsigned long offset)
{
	unsigned long index = strcmp(region, "cfg") ? strtoul(region + 3, NULL, 10) : 7;

	return (off_t)(index << 40 | offset);
}

static long other_call(const char *name)
{
	char byte = 0;
	struct iovec vector = {&byte, 1};
	off_t at = position("cfg", 0);
	int null = open("/dev/null", O_RDWR);

	if (!strcmp(name, "read"))
		return read(device, &byte, 1);
	if (!strcmp(name, "write"))
		return write(device, &byte, 1);
	if (!strcmp(name, "preadv"))
		return preadv(device, &vector, 1, at);
	if (!strcmp(name, "pwritev"))
		return pwritev(device, &vector, 1, at);
	if (!strcmp(name, "preadv2"))
		return preadv2(device, &vector, 1, at, 0);
	if (!strcmp(name, "sendfile"))
		return sendfile(null, device, &at, 1);
	errno = ENOSYS;
	return -1;
}

static void set_mode(const char *name)
{
	static const char *const names[] = {"off", "observe", "enforce"};
	struct guard_host settings;
	__u32 zero = 0;

	if (host < 0)
		host = bpf_obj_get(PINS "host");
	bpf_map_lookup_elem(host, &zero, &settings);
	for (int mode = 0; mode < 3; mode++) {
		if (!strcmp(name, names[mode]))
			settings.mode = mode;
	}
	bpf_map_update_elem(host, &zero, &settings, BPF_ANY);
}

/* Of a call, on average; instructions where the lab counts time in them. */
static void time_call(const char *what, long count)
{
	static int zero = -1;
	struct timespec start, end;
	unsigned int value = 0;

	if (zero < 0)
		zero = open("/dev/zero", O_RDONLY);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < count; i++) {
		ssize_t done;
		if (!strcmp(what, "zero"))
			done = pread(zero, &value, 1, 0);
		else if (!strcmp(what, "write"))
			done = pwrite(device, &value, 1, position("cfg", 0x0c));
		else
			done = pread(device, &value, 4, position("cfg", 0));
		if (done < 1)
			break;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("time %s %.1f\n", what,
	       ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / count);
}

static void make_access(char *line)
{
	static unsigned char data[8192];
	char *word[4] = {0};
	long result = -1;

	for (int i = 0; i < 4; i++)
		word[i] = strsep(&line, " \n");
	if (!word[0] || !word[1])
		return;
	if (!strcmp(word[0], "mode"))
		return set_mode(word[1]);
	if (!strcmp(word[0], "time"))
		return time_call(word[1], word[2] ? atol(word[2]) : 1000);
	struct guard_counts before = counted();
	errno = 0;
	if (!strcmp(word[0], "ioctl")) {
		result = ioctl(device, strtoul(word[1], NULL, 16), data);
	} else if (!strcmp(word[0], "call")) {
		result = other_call(word[1]);
	} else if (word[2] && word[3]) {
		off_t at = position(word[1], strtoul(word[2], NULL, 16));
		size_t size = strtoul(word[3], NULL, 16);
		memset(data, 0, sizeof(data));
		if (word[0][0] == 'r') {
			result = pread(device, data, size > sizeof(data) ? sizeof(data) : size, at);
		} else {
			size = strlen(word[3]) / 2;
			for (size_t i = 0; i < size; i++)
				sscanf(word[3] + 2 * i, "%2hhx", &data[i]);
			result = pwrite(device, data, size, at);
		}
	}
	int error = errno;
	struct guard_counts after = counted();
	const char *seen = after.blocked > before.blocked     ? "blocked"
			   : after.observed > before.observed ? "observed"
			   : after.judged > before.judged     ? "pass"
							      : "none";
	printf("%s %ld %d", seen, result, result < 0 ? error : 0);
	if (word[0][0] == 'r' && result > 0 && result <= 8) {
		printf(" ");
		for (long i = 0; i < result; i++)
			printf("%02x", data[i]);
	}
	printf("\n");
}

int main(int count, char **argument)
{
	static char line[32768];

	if (count != 2)
		return 2;
	strncpy(key.bdf, argument[1], sizeof(key.bdf) - 1);
	device = open_device(argument[1]);
	if (device < 0) {
		perror("vfio");
		return 1;
	}
	while (fgets(line, sizeof(line), stdin))
		make_access(line);
	return 0;
}
