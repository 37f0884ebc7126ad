/*
 * Runs qemu/filter/config-layout.c on config spaces from standard input and answers with the bytes that it takes for
 * assigned. Little-endian hosts only.
 *
 * Request:  u16 size (64..4096), u8 bytes of PCI Express version 2, u8 DVSEC (0 shown, 1 hidden), u8 space[4096].
 * Response: u8 assigned[4096].
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "config-layout.h"

#define SPACE 4096

int main(void)
{
	struct {
		uint16_t size;
		uint8_t express, dvsec;
		uint8_t space[SPACE];
	} request;

	while (fread(&request, sizeof request, 1, stdin) == 1) {
		VfioTables tables = { request.express, request.dvsec ? DVSEC_HIDDEN : DVSEC_SHOWN };
		uint8_t assigned[SPACE];

		memset(assigned, 0, sizeof assigned);
		config_layout_assigned_by(assigned, request.space, request.size, &tables);
		if (fwrite(assigned, SPACE, 1, stdout) != 1)
			return 1;
	}
	return 0;
}
