/*
 * What access rules parse to, and what they block
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "../access-rules.h"
#include "check.h"
#include "nvme-config.h"

#include <stdlib.h>

static AccessRules rules;

static bool parses(const char *text)
{
    const char *error;

    return access_rules_parse(&rules, text, strlen(text), &error);
}

static const char *error_of(const char *text)
{
    const char *error;

    return access_rules_valid(text, &error) ? "none" : error;
}

static void take_rules(const char *text)
{
    uint8_t config[4096];

    CHECK(parses(text));
    nvme_config(config);
    access_rules_resolve(&rules, config, sizeof(config));
}

static unsigned writes(uint64_t offset, unsigned length, uint32_t value)
{
    uint8_t data[4] = { value, value >> 8, value >> 16, value >> 24 };

    return access_rules_judge(&rules, ACCESS_CONFIG, offset, length, true,
                              data);
}

static unsigned reads(uint64_t offset, unsigned length)
{
    return access_rules_judge(&rules, ACCESS_CONFIG, offset, length, false,
                              NULL);
}

static void unassigned_bytes(void)
{
    take_rules("unassigned:w:block");
    CHECK(writes(0x04, 2, 0x0107) == 0); /* COMMAND */
    CHECK(writes(0x44, 2, 3) == 0);      /* PMCSR */
    CHECK(writes(0x48, 1, 1) == 1);
    CHECK(writes(0x800, 4, 1) == 0xf);
    CHECK(writes(0xf0, 1, 1) == 1);
    CHECK(writes(0x5c, 4, 1) == 0xc); /* MSI ends at 0x5d */
    CHECK(writes(0x12a, 4, 1) == 0xc);
    CHECK(reads(0x800, 4) == 0);
    CHECK(access_rules_unassigned(&rules, 0xa2)); /* Link Status 2 */
    CHECK(!access_rules_unassigned(&rules, 0xa1));

    take_rules("unassigned:rw:block");
    CHECK(reads(0x800, 4) == 0xf);
    CHECK(reads(0x0, 4096) == 0); /* QEMU opens the device */

    take_rules("cfg:800:w:allow"); /* the standard stays */
    CHECK(writes(0x800, 1, 1) == 0);
    CHECK(writes(0x801, 1, 1) == 1);

    take_rules("unassigned:w:allow");
    CHECK(writes(0x800, 4, 1) == 0);
    /* longer than any guest's write, which nobody can judge */
    CHECK(access_rules_judge(&rules, ACCESS_CONFIG, 0, 16, true, NULL) != 0);
}

static void later_rules_win(void)
{
    take_rules("unassigned:w:block;cfg:800-8ff:w:allow;cfg:810:w:block");
    CHECK(writes(0x80f, 4, 0) == 0x2);

    /* wherever it stands, unassigned is only what no rule speaks of */
    take_rules("cfg:800-8ff:w:allow;unassigned:w:block");
    CHECK(writes(0x800, 4, 0) == 0);
}

static void conditions(void)
{
    take_rules("unassigned:w:block;cfg:79:w:block:80=80");
    CHECK(writes(0x78, 2, 0x8000) == 0x2); /* FLR */
    CHECK(writes(0x78, 2, 0x7fff) == 0);

    take_rules("unassigned:w:block;cfg:44:w:block;cfg:44:w:allow:3=0");
    CHECK(writes(0x44, 1, 0x08) == 0);
    CHECK(writes(0x44, 1, 0x0b) == 1);

    /* on an unassigned byte: what the condition does not meet is blocked */
    take_rules("unassigned:w:block;cfg:800:w:allow:ff=1");
    CHECK(writes(0x800, 1, 1) == 0);
    CHECK(writes(0x800, 1, 2) == 1);
}

static void bars(void)
{
    take_rules("bar0:88000-88fff:w:block;bar0:88704:w:allow");
    CHECK(access_rules_judge(&rules, 0, 0x88050, 4, true, (uint8_t[8]){ 0 }) ==
          0xf);
    CHECK(access_rules_judge(&rules, 0, 0x88050, 4, false, NULL) == 0);
    CHECK(access_rules_judge(&rules, 0, 0x88704, 1, true, (uint8_t[8]){ 0 }) ==
          0);
    CHECK(access_rules_judge(&rules, 0, 0x87ffc, 8, true, (uint8_t[8]){ 0 }) ==
          0xf0);
    CHECK(access_rules_judge(&rules, 1, 0x88050, 4, true, (uint8_t[8]){ 0 }) ==
          0);
}

static void what_does_not_parse(void)
{
    static const char *const wrong[] = {
        "",
        ";",
        "unassigned",
        "unassigned:x:block",
        "unassigned:w:deny",
        "unassigned:w:block;",
        "unassigned:w:block ",
        "cfg::w:block",
        "cfg:800",
        "cfg:8g0:w:block",
        "cfg:800-:w:block",
        "cfg:8ff-800:w:block",
        "cfg:1000:w:block",
        "cfg:0x800:w:block",
        "cfg:800:w:blocked",
        "cfg:800:w:block:80",
        "cfg:800:w:block:80=81",
        "cfg:800:w:block:0=0",
        "cfg:800:rw:block:80=80",
        "cfg:0-20:w:block:80=80", /* 33 bytes with a condition */
        "bar6:0:w:block",
        "bar0:0:w:block:1=1",
        "bar0:10000000000:w:block",
        "ioctl:reset",
        "ioctl:reset:allow",
        "ioctl:everything:block",
        "CFG:800:w:block",
        "cfg:ffffffffffffffff800:w:block",
    };
    unsigned i;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (parses(wrong[i])) {
            printf("parsed: %s\n", wrong[i]);
        }
        CHECK(!parses(wrong[i]));
    }
    CHECK(parses("ioctl:reset:block;ioctl:ioeventfd:block;"
                 "ioctl:low-power:block"));
    CHECK(rules.requests ==
          (ACCESS_RESET | ACCESS_IOEVENTFD | ACCESS_LOW_POWER));
}

static char *repeated(const char *statement, unsigned times)
{
    size_t length = strlen(statement);
    char *text = malloc(length * times + 1);
    unsigned i;

    for (i = 0; i < times; i++) {
        memcpy(text + i * length, statement, length);
    }
    text[length * times - 1] = '\0';
    return text;
}

static void limits(void)
{
    char *most = repeated("cfg:0:w:block;", 512);
    char *more = repeated("cfg:0:w:block;", 513);
    char *bar = repeated("bar0:0:w:block;", 17);

    CHECK(parses(most));
    CHECK(!parses(more));
    CHECK(!parses(bar));
    free(most);
    free(more);
    free(bar);
}

static void texts_for_a_vm(void)
{
    static const char text[] = "0000:01:00.0=unassigned:w:block "
                               "0000:02:00.0=cfg:800:w:allow "
                               "*=unassigned:rw:block";
    const char *found;

    CHECK(strcmp(error_of(text), "none") == 0);
    CHECK(access_rules_find(text, "0000:02:00.0", &found) == 15);
    CHECK(strncmp(found, "cfg:800:w:allow ", 16) == 0);
    CHECK(access_rules_find(text, "0000:03:00.0", &found) == 19);
    CHECK(strcmp(found, "unassigned:rw:block") == 0);
    CHECK(access_rules_find("0000:01:00.0=cfg:0:w:allow", "0000:01:00.1",
                            &found) == -1);

    CHECK(*error_of("") == '\0');
    CHECK(strcmp(error_of(" *=unassigned:w:block"), " *=unassigned:w:block") ==
          0);
    CHECK(strcmp(error_of("*=unassigned:w:block "), "none") != 0);
    CHECK(strcmp(error_of("01:00.0=unassigned:w:block"), "none") != 0);
    CHECK(strcmp(error_of("0000:01:00.8=unassigned:w:block"), "none") != 0);
    CHECK(strcmp(error_of("0000:01:00.0"), "none") != 0);
    CHECK(strcmp(error_of("0000:01:00.0=unassigned:w:block "
                          "0000:01:00.0=unassigned:w:block"),
                 "0000:01:00.0=unassigned:w:block") == 0);
    CHECK(strcmp(error_of("*=unassigned:w:block;bar9:0:w:block"),
                 "bar9:0:w:block") == 0);
}

int main(void)
{
    unassigned_bytes();
    later_rules_win();
    conditions();
    bars();
    what_does_not_parse();
    limits();
    texts_for_a_vm();
    CHECK(access_rules_digest("", 0) == UINT64_C(0xcbf29ce484222325));
    CHECK(access_rules_digest("foobar", 6) == UINT64_C(0x85944171f73967e8));
    return report();
}
