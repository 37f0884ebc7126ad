/*
 * Prints the digest by which a log names a text of rules
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../access-rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    printf("%016" PRIx64 "\n", access_rules_digest(argv[1], strlen(argv[1])));
    return 0;
}
