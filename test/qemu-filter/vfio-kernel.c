/*
 * A vfio (of groups, type 1) for a real QEMU on a machine without one: to be preloaded beneath the filter. A device is a
 * file, $FAKE_DEVICES/BDF, with its regions where vfio-pci has them; what arrives there has reached "hardware".
 * Nothing is emulated: the file keeps what is written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CONFIG_SIZE 4096
#define BAR0_SIZE 0x1000000

static int real_open(const char *path, int flags, mode_t mode)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static int fake_open(const char *path, int flags, mode_t mode)
{
	return real_open(strncmp(path, "/dev/vfio/", 10) ? path : "/dev/null", flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return fake_open(path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

/* What open() is where the compiler checks its arguments */
int __open64_2(const char *path, int flags)
{
	return fake_open(path, flags, 0);
}

int __open_2(const char *path, int flags) __attribute__((alias("__open64_2")));

static int open_device(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", getenv("FAKE_DEVICES"), name);
	return real_open(path, O_RDWR | O_CLOEXEC, 0);
}

static int describe_region(struct vfio_region_info *info)
{
	info->offset = (uint64_t)info->index << 40;
	info->size = info->index == 7 ? CONFIG_SIZE : info->index == 0 ? BAR0_SIZE : 0;
	info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	if (info->index <= 7)
		return 0;
	errno = EINVAL;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return (uintptr_t)argument == VFIO_TYPE1v2_IOMMU;
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)argument)->flags = VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_IOMMU_GET_INFO:
		((struct vfio_iommu_type1_info *)argument)->flags = VFIO_IOMMU_INFO_PGSIZES;
		((struct vfio_iommu_type1_info *)argument)->iova_pgsizes = 4096;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return open_device(argument);
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)argument)->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
		((struct vfio_device_info *)argument)->num_regions = VFIO_PCI_NUM_REGIONS;
		((struct vfio_device_info *)argument)->num_irqs = VFIO_PCI_NUM_IRQS;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return describe_region(argument);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)argument)->flags = VFIO_IRQ_INFO_EVENTFD;
		((struct vfio_irq_info *)argument)->count = 1;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
	case VFIO_GROUP_UNSET_CONTAINER:
	case VFIO_SET_IOMMU:
	case VFIO_IOMMU_MAP_DMA:
	case VFIO_IOMMU_UNMAP_DMA:
	case VFIO_DEVICE_SET_IRQS:
	case VFIO_DEVICE_RESET:
		return 0;
	default:
		if (_IOC_TYPE(request) != VFIO_TYPE)
			return syscall(SYS_ioctl, fd, request, argument);
		errno = ENOTTY;
		return -1;
	}
}
