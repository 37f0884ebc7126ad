/*
 * Writes the config space that the tests are about to standard output
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "nvme-config.h"

#include <unistd.h>

int main(void)
{
    uint8_t config[4096];

    nvme_config(config);
    return write(STDOUT_FILENO, config, sizeof(config)) == sizeof(config) ? 0
                                                                          : 1;
}
