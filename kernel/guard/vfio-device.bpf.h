/* SPDX-License-Identifier: GPL-2.0 */
/* Which device a file of vfio is, and what the kernel knows of it. */
#ifndef WARDEN_VFIO_DEVICE_BPF_H
#define WARDEN_VFIO_DEVICE_BPF_H

#include <linux/types.h>
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "guard.h"

/* Only what is looked at; libbpf finds the fields in the running kernel, whatever their places
 * (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct file_operations;
struct file {
	const struct file_operations *f_op;
	void *private_data;
};
struct kobject {
	const char *name;
};
struct bus_type;
struct device {
	struct kobject kobj;
	const struct bus_type *bus;
};
struct pci_dev {
	int cfg_size;
	struct device dev;
};
struct vfio_device {
	struct device *dev;
};
/* From Linux 6.4 on the file belongs to one of these, before to the device itself. */
struct vfio_device_file {
	struct vfio_device *device;
};
struct vfio_pci_core_device {
	struct vfio_device vdev;
	struct pci_dev *pdev;
	__u8 *pci_config_map;
};
struct pt_regs {
	unsigned long r10, dx, si, orig_ax;
};
struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
};
#pragma clang attribute pop

extern const void pci_bus_type __ksym;

#define LAST_BAR	   5
#define PCI_CAP_ID_INVALID 0xff

/* One access, as far as it is known. */
struct access {
	struct guard_device device;
	struct pci_dev *pdev;
	__u8 *config_map;
	struct guard_policy *policy;
	__u64 offset;
	__u64 size;
	__u64 buffer;
	/* What is written, as far as it could be read; the request of an ioctl. */
	__u64 value;
	__u32 syscall;
	__u8 region;
	__u8 write;
	__u8 mode;
	__u8 deny;
};

enum identity { PCI, NOT_PCI, UNKNOWN };

/* The lowest bit of each of eight bytes. */
#define EACH 0x0101010101010101ULL

/* The name of a PCI function, which is its address. By two words: 12 characters and their end,
 * unless the domain has more than four digits. What lies behind the end may be anything, and is
 * cleared. */
static __always_inline bool read_bdf(char bdf[GUARD_BDF_SIZE], const char *name)
{
	__u64 word[2];

	if (!bpf_probe_read_kernel(word, sizeof(word), name)) {
		__u64 none = (word[0] - EACH) & ~word[0] & EACH << 7;
		__u64 ends = (word[1] - EACH) & ~word[1] & EACH << 7;
		if (!none && ends) {
			word[1] &= ((ends & -ends) >> 7) - 1;
			__builtin_memcpy(bdf, word, sizeof(word));
			return true;
		}
	}
	return bpf_probe_read_kernel_str(bdf, GUARD_BDF_SIZE, name) >= 0;
}

/* Which device the file is. */
static __always_inline enum identity identify(struct file *file, struct access *access)
{
	void *private = file->private_data;
	struct vfio_device *vdev = private;
	struct device *dev = NULL;
	struct pci_dev *pdev = NULL;
	const char *name = NULL;

	if (bpf_core_type_exists(struct vfio_device_file) &&
	    bpf_core_read(&vdev, sizeof(vdev), &((struct vfio_device_file *)private)->device))
		return UNKNOWN;
	if (bpf_core_read(&dev, sizeof(dev), &vdev->dev) || !dev)
		return UNKNOWN;
	access->pdev = (void *)dev - bpf_core_field_offset(struct pci_dev, dev);
	struct vfio_pci_core_device *core =
		(void *)vdev - bpf_core_field_offset(struct vfio_pci_core_device, vdev);
	bool known = !bpf_core_read(&pdev, sizeof(pdev), &core->pdev) && pdev == access->pdev &&
		     !bpf_core_read(&access->config_map, sizeof(access->config_map),
				    &core->pci_config_map);
	/* A driver that does not build on vfio_pci_core has something else there. Mediated devices
	 * and platform devices have no config space of their own. */
	if (!known) {
		const struct bus_type *bus = NULL;
		if (bpf_core_read(&bus, sizeof(bus), &dev->bus))
			return UNKNOWN;
		if ((const void *)bus != &pci_bus_type)
			return NOT_PCI;
	}
	if (bpf_core_read(&name, sizeof(name), &dev->kobj.name) ||
	    !read_bdf(access->device.bdf, name))
		return UNKNOWN;
	return known ? PCI : UNKNOWN;
}

#endif
