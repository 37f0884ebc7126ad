/*
 * Runs the kernel's own vfio_config_init() on config spaces from standard input and answers with its pci_config_map
 * and, where asked, with how a guest's write to each byte fares in vfio_pci_config_rw(). Little-endian hosts only.
 *
 * Request:  u16 size (64..4096), u16 flags (1: measure writes, 2: last of a batch), u8 space[4096] (all-ones behind size).
 * Response: i32 ret of vfio_config_init, u32 "PCI config conflict" warnings, u32 bytes written behind the map,
 *           u32 measured, u32 bytes of which qemu/filter/config-layout.c says otherwise, u32 bytes of the placeholder
 *           at 0x100 that it cannot tell, u8 map[4096], and if measured u8 reach[4096], u8 fate[4096].
 * reach[i]: the bits of a guest's one-byte write at i that hardware sees as written.
 * fate[i]:  1 the kernel acts on the device, 2 the kernel's copy changes (bits).
 */
#include <stdio.h>
#include <stdlib.h>
#include "kernel-shim.h"
#include "config-layout.h"

#define SPACE 4096
#define ROOM (4 * SPACE)  /* the longest capability begins below 4 KiB and has less than 8 KiB */
#define UNTOUCHED 0xA5
#define MEASURE 1
#define LAST 2

#ifndef DVSEC
#define DVSEC DVSEC_SHOWN
#endif

static u8 hardware[SPACE];
static u8 before[SPACE];
static u16 express_flags;
static u32 conflicts, acts, act_hash;
static int dirty_from, dirty_to;

/* Blocks of a fixed size: overruns stay inside, and stale content cannot decide anything. */
#define BLOCK (SPACE + ROOM)
static u8 *pool[64];
static int free_blocks;

void *shim_alloc(size_t size)
{
	u8 *block = free_blocks ? pool[--free_blocks] : malloc(BLOCK);
	if (!block || size > SPACE)
		abort();
	memset(block, 0, SPACE);
	memset(block + SPACE, UNTOUCHED, ROOM);
	return block;
}

void shim_free(const void *p)
{
	if (!p)
		return;
	if (free_blocks < 64)
		pool[free_blocks++] = (u8 *)p;
	else
		free((void *)p);
}

void shim_warned(const char *format)
{
	if (strstr(format, "PCI config conflict"))
		conflicts++;
}

void shim_warn_on(bool happened)
{
	(void)happened;
}

/*
 * pci_bus_read_config_* refuses unaligned accesses, x86's pci_mmcfg_read what is beyond 4,096 bytes. What lies
 * behind the device's config space reads as all-ones.
 */
int shim_read(int offset, int bytes, u32 *value)
{
	*value = ~0U;
	if (offset & (bytes - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	if (offset < 0 || offset >= SPACE)
		return -EINVAL;
	*value = 0;
	memcpy(value, hardware + offset, bytes);
	return 0;
}

int shim_write(int offset, int bytes, u32 value)
{
	if (offset & (bytes - 1))
		return PCIBIOS_BAD_REGISTER_NUMBER;
	if (offset < 0 || offset >= SPACE)
		return -EINVAL;
	memcpy(hardware + offset, &value, bytes);
	if (offset < dirty_from)
		dirty_from = offset;
	if (offset + bytes > dirty_to)
		dirty_to = offset + bytes;
	return 0;
}

int shim_acts(u32 argument)
{
	acts++;
	act_hash = act_hash * 31 + argument;
	return 0;
}

int shim_write_vpd(u32 address, u32 data)
{
	shim_acts(address);
	shim_acts(data);
	return 4;
}

u16 pcie_caps_reg(const struct pci_dev *pdev)
{
	(void)pdev;
	return express_flags;
}

/*
 * drivers/pci/probe.c set_pcie_port_type() by pci_find_capability(PCI_CAP_ID_EXP), which, unlike vfio, masks the low
 * bits of pointers and stops at those into the header. Header type 0: vfio-pci takes no other.
 */
static u16 probe_express_flags(void)
{
	u8 pos = hardware[PCI_CAPABILITY_LIST];
	u16 flags;

	if (!(hardware[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		return 0;
	for (int ttl = 48; ttl && pos >= PCI_STD_HEADER_SIZEOF; ttl--) {
		pos &= ~3;
		if (hardware[pos] == 0xff)
			return 0;
		if (hardware[pos] == PCI_CAP_ID_EXP) {
			memcpy(&flags, hardware + pos + PCI_EXP_FLAGS, 2);
			return flags;
		}
		pos = hardware[pos + 1];
	}
	return 0;
}

static u8 kept[SPACE]; /* vconfig as vfio_config_init left it */

struct outcome {
	u8 hardware, copy;
	u32 acts, act_hash;
};

/* A guest's write of one byte, then everything back to where it was. */
static struct outcome guest_writes(struct vfio_pci_core_device *vdev, int pos, u8 value)
{
	struct outcome out;
	loff_t at = pos;
	char byte = (char)value;

	dirty_from = SPACE;
	dirty_to = 0;
	acts = 0;
	act_hash = 0;
	vfio_pci_config_rw(vdev, &byte, 1, &at, true);
	out.hardware = hardware[pos];
	out.copy = vdev->vconfig[pos];
	out.acts = acts;
	out.act_hash = act_hash;
	if (dirty_to > dirty_from)
		memcpy(hardware + dirty_from, before + dirty_from, dirty_to - dirty_from);
	memcpy(vdev->vconfig, kept, vdev->pdev->cfg_size);
	vdev->virq_disabled = false;
	return out;
}

static void measure(struct vfio_pci_core_device *vdev, u8 *reach, u8 *fate)
{
	int size = vdev->pdev->cfg_size;

	memcpy(before, hardware, SPACE);
	memcpy(kept, vdev->vconfig, size);
	for (int pos = 0; pos < size; pos++) {
		struct outcome zeros = guest_writes(vdev, pos, 0x00);
		struct outcome ones = guest_writes(vdev, pos, 0xff);
		reach[pos] = zeros.hardware ^ ones.hardware;
		fate[pos] = (zeros.act_hash != ones.act_hash || zeros.acts != ones.acts ? 1 : 0) |
			    (zeros.copy != ones.copy ? 2 : 0);
	}
}

/*
 * What the filter's C code makes of the bytes that vfio presents to userspace, against the kernel's map. A hidden
 * capability at 0x100 with nothing behind it reads as zeros, so that C takes its 4 bytes for unassigned: counted apart.
 */
static void compare_filter(struct vfio_pci_core_device *vdev, u32 *differing, u32 *placeholder)
{
	static const VfioTables tables = { PCI_CAP_EXP_ENDPOINT_SIZEOF_V2, DVSEC };
	static u8 presented[SPACE], assigned[SPACE], by_any_kernel[SPACE];
	unsigned int size = vdev->pdev->cfg_size;
	loff_t at = 0;

	vfio_pci_config_rw(vdev, (char *)presented, size, &at, false);
	config_layout_assigned_by(assigned, presented, size, &tables);
	config_layout_assigned(by_any_kernel, presented, size);
	for (unsigned int i = 0; i < size; i++) {
		bool kernels = vdev->pci_config_map[i] != 0xff;

		/* Where it does not know the kernel, it may be stricter than that, and never laxer. */
		if (by_any_kernel[i] && !kernels)
			(*differing)++;
		if (kernels == assigned[i])
			continue;
		if (kernels && i >= 0x100 && i < 0x104 && !memcmp(presented + 0x100, "\0\0\0", 4))
			(*placeholder)++;
		else if (assigned[i])
			(*differing)++;
		else
			(*placeholder)++;
	}
}

static void must_read(void *to, size_t bytes)
{
	if (fread(to, 1, bytes, stdin) != bytes)
		exit(2);
}

int main(void)
{
	static char in[1 << 20], out[1 << 20];
	setvbuf(stdin, in, _IOFBF, sizeof in);
	setvbuf(stdout, out, _IOFBF, sizeof out);
	if (vfio_pci_init_perm_bits())
		return 1;
	for (;;) {
		u16 head[2];
		u32 answer[6] = { 0 };
		u8 map[SPACE], reach[SPACE], fate[SPACE];
		struct pci_dev pdev = { .irq = 1 };
		/* No interrupt in use; any number of vectors may be asked for, so that all bits of the field can be seen. */
		struct vfio_pci_core_device vdev = { .pdev = &pdev, .irq_type = -1, .msi_qmax = 7 };

		if (fread(head, 1, sizeof head, stdin) != sizeof head)
			return 0;
		must_read(hardware, SPACE);
		pdev.cfg_size = head[0];
		express_flags = probe_express_flags();
		conflicts = 0;
		memset(map, 0xff, sizeof map);
		memset(reach, 0, sizeof reach);
		memset(fate, 0, sizeof fate);
		int ret = vfio_config_init(&vdev);
		u32 behind = 0;
		if (!ret) {
			const u8 *block = vdev.pci_config_map;
			memcpy(map, block, pdev.cfg_size);
			/* The room behind begins at cfg_size (zeroed up to SPACE), then has the pattern. */
			for (int i = pdev.cfg_size; i < SPACE + ROOM; i++)
				behind += block[i] != (i < SPACE ? 0 : UNTOUCHED);
			compare_filter(&vdev, &answer[4], &answer[5]);
			if (head[1] & MEASURE)
				measure(&vdev, reach, fate);
		}
		vfio_config_free(&vdev);
		answer[0] = (u32)ret;
		answer[1] = conflicts;
		answer[2] = behind;
		answer[3] = head[1] & MEASURE && !ret;
		fwrite(answer, sizeof answer, 1, stdout);
		fwrite(map, 1, SPACE, stdout);
		if (answer[3]) {
			fwrite(reach, 1, SPACE, stdout);
			fwrite(fate, 1, SPACE, stdout);
		}
		if (head[1] & LAST)
			fflush(stdout);
	}
}
