/*
 * What drivers/vfio/pci/vfio_pci_config.c needs of the kernel, for a compilation in userspace: one device whose
 * hardware is an array. Stands in for <linux/pci.h> and the other headers that the file includes; the register
 * definitions are the kernel's own (include/uapi/linux/pci_regs.h of the same source package).
 */
#ifndef KERNEL_SHIM_H
#define KERNEL_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <linux/pci_regs.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef uint16_t __le16;
typedef uint32_t __le32;
typedef int pci_power_t;

#define __user
#define __init
#define likely(x) (x)
#define unlikely(x) (x)
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define WARN_ON(x) shim_warn_on(!!(x))
#define EXPORT_SYMBOL_GPL(x)
#define IS_ENABLED(x) 1
#define cpu_to_le16(x) ((u16)(x))
#define cpu_to_le32(x) ((u32)(x))
#define le16_to_cpu(x) ((u16)(x))
#define le32_to_cpu(x) ((u32)(x))
#define round_up(x, y) ((((x) + (y) - 1) / (y)) * (y))
#define roundup_pow_of_two(x) (x) /* only the size of a ROM */
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))

enum { PCI_D0, PCI_D1, PCI_D2, PCI_D3hot };
#define PCI_STD_RESOURCES 0
#define PCI_ROM_RESOURCE 6
#define IORESOURCE_IO 0x100UL
#define IORESOURCE_PREFETCH 0x2000UL
#define IORESOURCE_ROM_SHADOW 2UL
#define IORESOURCE_MEM_64 0x100000UL
#define IRQ_NOTCONNECTED (1U << 31)
#define PCI_VENDOR_ID_INTEL 0x8086
#define PCI_DEVICE(v, d) .vendor = (v), .device = (d)
#define PCI_CFG_SPACE_SIZE 256
#define VFIO_PCI_OFFSET_MASK ((1ULL << 40) - 1)
#define VFIO_PCI_MSI_IRQ_INDEX 1
#define PCI_CAP_ID_INVALID 0xFF
#define PCI_CAP_ID_INVALID_VIRT 0xFE

struct pci_device_id {
	u32 vendor, device;
};

struct resource {
	unsigned long flags;
};

struct pci_dev {
	int cfg_size;
	u16 vendor, device;
	unsigned int irq;
	bool is_virtfn, no_command_memory;
	pci_power_t current_state;
	void *rom;
	size_t romlen;
	struct resource resource[7];
};

struct perm_bits;

struct vfio_pci_core_device {
	struct pci_dev *pdev;
	u8 *pci_config_map, *vconfig;
	struct perm_bits *msi_perm;
	u32 rbar[7];
	int irq_type;
	u8 msi_qmax;
	bool bardirty, nointx, virq_disabled, extended_caps;
	int memory_lock;
};

int vfio_config_init(struct vfio_pci_core_device *vdev);
void vfio_config_free(struct vfio_pci_core_device *vdev);
int vfio_pci_init_perm_bits(void);
void vfio_pci_uninit_perm_bits(void);
ssize_t vfio_pci_config_rw(struct vfio_pci_core_device *vdev, char *buf, size_t count, loff_t *ppos, bool iswrite);
ssize_t vfio_pci_config_rw_single(struct vfio_pci_core_device *vdev, char *buf, size_t count, loff_t *ppos, bool iswrite);
bool __vfio_pci_memory_enabled(struct vfio_pci_core_device *vdev);
bool vfio_pci_core_range_intersect_range(loff_t buf_start, size_t buf_cnt, loff_t reg_start, size_t reg_cnt,
					 loff_t *buf_offset, size_t *intersect_count, size_t *register_offset);

/* Memory comes zeroed and with room behind it, so that the kernel's overruns can be seen instead of felt. */
void *shim_alloc(size_t size);
void shim_free(const void *p);
#define GFP_KERNEL 0
#define GFP_KERNEL_ACCOUNT 0
#define kmalloc(size, gfp) shim_alloc(size)
#define kzalloc(size, gfp) shim_alloc(size)
#define kmalloc_obj(type, gfp) ((__typeof__(type) *)shim_alloc(sizeof(type)))
#define kfree(p) shim_free(p)

/* "PCI config conflict" is the kernel's word for capabilities that overlap. */
void shim_warned(const char *format);
void shim_warn_on(bool happened);
#define pci_warn(pdev, format, ...) shim_warned(format)
#define pci_info(pdev, ...) ((void)0)
#define pci_dbg(pdev, ...) ((void)0)

/* Hardware. Errors as in drivers/pci/access.c: 0, a positive PCIBIOS code, or what the bus answers. */
#define PCIBIOS_SUCCESSFUL 0
#define PCIBIOS_BAD_REGISTER_NUMBER 0x87
int shim_read(int offset, int bytes, u32 *value);
int shim_write(int offset, int bytes, u32 value);
u16 pcie_caps_reg(const struct pci_dev *pdev);
static inline int pci_pcie_type(const struct pci_dev *pdev)
{
	return (pcie_caps_reg(pdev) & PCI_EXP_FLAGS_TYPE) >> 4;
}
static inline int pcibios_err_to_errno(int error)
{
	return error <= PCIBIOS_SUCCESSFUL ? error : -EFAULT;
}
#define SHIM_READ(name, type, bytes)                                            \
	static inline int name(struct pci_dev *pdev, int offset, type *value)   \
	{                                                                       \
		u32 all = ~0U;                                                  \
		int ret = shim_read(offset, bytes, &all);                       \
		(void)pdev;                                                     \
		*value = (type)all;                                             \
		return ret;                                                     \
	}
SHIM_READ(pci_read_config_byte, u8, 1)
SHIM_READ(pci_read_config_word, u16, 2)
SHIM_READ(pci_read_config_dword, u32, 4)
SHIM_READ(pci_user_read_config_byte, u8, 1)
SHIM_READ(pci_user_read_config_word, u16, 2)
SHIM_READ(pci_user_read_config_dword, u32, 4)
#define pci_user_write_config_byte(pdev, offset, value) shim_write(offset, 1, value)
#define pci_user_write_config_word(pdev, offset, value) shim_write(offset, 2, value)
#define pci_user_write_config_dword(pdev, offset, value) shim_write(offset, 4, value)

/* What the kernel does to the device for the guest: recorded, with its argument. */
int shim_acts(u32 argument);
#define pci_try_reset_function(pdev) shim_acts(1)
#define vfio_pci_set_power_state(vdev, state) shim_acts(0x100 + (u32)(state))
#define pcie_set_readrq(pdev, bytes) shim_acts(0x10000 + (u32)(bytes))
int shim_write_vpd(u32 address, u32 data);
#define pci_write_vpd(pdev, address, count, data) shim_write_vpd(address, *(data))
#define pci_read_vpd(pdev, address, count, data) (*(data) = 0, (int)(count))
#define pcie_get_mps(pdev) 128

/* A device without BARs, ROM and interrupts: they do not bear on the map. */
#define pci_resource_start(pdev, bar) 0UL
#define pci_resource_len(pdev, bar) 0UL
#define pci_resource_flags(pdev, bar) ((pdev)->resource[bar].flags)
#define pci_match_id(table, pdev) ((void)(table), (void *)0)
#define vfio_pci_zap_and_down_write_memory_lock(vdev) ((void)(vdev))
#define vfio_pci_dma_buf_move(vdev, revoked) ((void)(vdev))
#define down_write(lock) ((void)(lock))
#define up_write(lock) ((void)(lock))
#define vfio_pci_intx_mask(vdev) ((void)(vdev))
#define vfio_pci_intx_unmask(vdev) ((void)(vdev))
#define copy_from_user(to, from, count) (memcpy(to, from, count), 0)
#define copy_to_user(to, from, count) (memcpy(to, from, count), 0)

#endif
