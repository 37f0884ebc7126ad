/*
 * Access rules for an assigned PCI device
 *
 * SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-or-later
 */
#include "access-rules.h"
#include "config-layout.h"

#include <string.h>

/* What AccessRules.config holds beside ACCESS_READ and ACCESS_WRITE */
#define CONDITIONAL (1 << 2) /* writes: the written byte must be looked at */
#define UNASSIGNED (1 << 3)

#define MAX_BAR_OFFSET ((UINT64_C(1) << 40) - 1) /* VFIO_PCI_OFFSET_SHIFT */
#define ALL_BYTES 0xffu

/* A text that is read from the front */
typedef struct Cursor {
    const char *at, *end;
} Cursor;

static bool take(Cursor *cursor, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(cursor->end - cursor->at) < length ||
        memcmp(cursor->at, word, length) != 0) {
        return false;
    }
    cursor->at += length;
    return true;
}

static bool at_end(const Cursor *cursor)
{
    return cursor->at == cursor->end;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Lower-case hex of 1 to @max_digits digits */
static bool take_hex(Cursor *cursor, unsigned max_digits, uint64_t *value)
{
    unsigned digits = 0;

    for (*value = 0; !at_end(cursor) && hex_digit(*cursor->at) >= 0;
         cursor->at++) {
        if (++digits > max_digits) {
            return false;
        }
        *value = *value << 4 | hex_digit(*cursor->at);
    }
    return digits > 0;
}

static bool take_direction(Cursor *cursor, uint8_t *directions)
{
    if (take(cursor, "rw:")) {
        *directions = ACCESS_READ | ACCESS_WRITE;
    } else if (take(cursor, "r:")) {
        *directions = ACCESS_READ;
    } else if (take(cursor, "w:")) {
        *directions = ACCESS_WRITE;
    } else {
        return false;
    }
    return true;
}

static bool take_effect(Cursor *cursor, bool *block)
{
    *block = take(cursor, "block");
    return *block || take(cursor, "allow");
}

static bool parse_unassigned(AccessRules *rules, Cursor *cursor)
{
    uint8_t directions;
    bool block;

    if (!take_direction(cursor, &directions) || !take_effect(cursor, &block)) {
        return false;
    }
    if (block) {
        rules->unassigned |= directions;
    } else {
        rules->unassigned &= ~directions;
    }
    return true;
}

static bool parse_request(AccessRules *rules, Cursor *cursor)
{
    if (take(cursor, "reset:")) {
        rules->requests |= ACCESS_RESET;
    } else if (take(cursor, "ioeventfd:")) {
        rules->requests |= ACCESS_IOEVENTFD;
    } else if (take(cursor, "low-power:")) {
        rules->requests |= ACCESS_LOW_POWER;
    } else {
        return false;
    }
    return take(cursor, "block");
}

static bool take_region(Cursor *cursor, uint8_t *region)
{
    if (take(cursor, "cfg:")) {
        *region = ACCESS_CONFIG;
        return true;
    }
    if (cursor->end - cursor->at < 5 || !take(cursor, "bar") ||
        *cursor->at < '0' || *cursor->at > '5') {
        return false;
    }
    *region = ACCESS_BAR0 + (*cursor->at++ - '0');
    return take(cursor, ":");
}

static bool parse_condition(AccessRule *rule, Cursor *cursor)
{
    uint64_t mask, value;

    if (rule->region != ACCESS_CONFIG || rule->directions != ACCESS_WRITE ||
        !take_hex(cursor, 2, &mask) || !take(cursor, "=") ||
        !take_hex(cursor, 2, &value) || mask == 0 || (value & ~mask) != 0) {
        return false;
    }
    rule->mask = mask;
    rule->value = value;
    return true;
}

static bool parse_rule(AccessRules *rules, Cursor *cursor)
{
    AccessRule rule = { 0 };

    if (!take_region(cursor, &rule.region) ||
        !take_hex(cursor, 10, &rule.first)) {
        return false;
    }
    rule.last = rule.first;
    if ((take(cursor, "-") && !take_hex(cursor, 10, &rule.last)) ||
        rule.first > rule.last ||
        rule.last > (rule.region == ACCESS_CONFIG ? ACCESS_CONFIG_SIZE - 1
                                                  : MAX_BAR_OFFSET)) {
        return false;
    }
    if (!take(cursor, ":") || !take_direction(cursor, &rule.directions) ||
        !take_effect(cursor, &rule.block) ||
        (take(cursor, ":") && !parse_condition(&rule, cursor))) {
        return false;
    }
    if (rules->count == ACCESS_MAX_RULES) {
        return false;
    }
    if (rule.region != ACCESS_CONFIG &&
        ++rules->bar_count > ACCESS_MAX_BAR_RULES) {
        return false;
    }
    rules->rule[rules->count++] = rule;
    return true;
}

static bool too_many_conditions(const AccessRules *rules)
{
    uint64_t bytes = 0;
    unsigned i;

    for (i = 0; i < rules->count; i++) {
        const AccessRule *rule = &rules->rule[i];

        if (rule->mask) {
            bytes += rule->last - rule->first + 1;
        }
    }
    return bytes > ACCESS_MAX_CONDITIONAL;
}

bool access_rules_parse(AccessRules *rules, const char *text, unsigned length,
                        const char **error)
{
    Cursor cursor = { text, text + length };

    memset(rules, 0, sizeof(*rules));
    rules->unassigned = ACCESS_WRITE;
    do {
        bool ok;

        *error = cursor.at;
        if (take(&cursor, "unassigned:")) {
            ok = parse_unassigned(rules, &cursor);
        } else if (take(&cursor, "ioctl:")) {
            ok = parse_request(rules, &cursor);
        } else {
            ok = parse_rule(rules, &cursor);
        }
        if (!ok || (!at_end(&cursor) && *cursor.at != ';') ||
            too_many_conditions(rules)) {
            return false;
        }
    } while (take(&cursor, ";"));
    return length <= ACCESS_MAX_DEVICE_TEXT;
}

/* 0000:01:00.0, or * */
static bool take_device(Cursor *cursor)
{
    uint64_t number;
    const char *start = cursor->at;

    if (take(cursor, "*")) {
        return true;
    }
    if (!take_hex(cursor, 8, &number) || cursor->at - start < 4) {
        return false;
    }
    start = cursor->at;
    return take(cursor, ":") && take_hex(cursor, 2, &number) &&
           take(cursor, ":") && take_hex(cursor, 2, &number) &&
           take(cursor, ".") && take_hex(cursor, 1, &number) && number < 8 &&
           cursor->at - start == 8;
}

/* The entry at the front: its device and its rules; false at the end */
static bool next_entry(Cursor *rest, Cursor *device, Cursor *rules)
{
    const char *equals, *space;

    if (at_end(rest)) {
        return false;
    }
    space = memchr(rest->at, ' ', rest->end - rest->at);
    rules->end = space ? space : rest->end;
    equals = memchr(rest->at, '=', rules->end - rest->at);
    device->at = rest->at;
    device->end = equals ? equals : rules->end;
    rules->at = equals ? equals + 1 : rules->end;
    rest->at = space ? space + 1 : rest->end;
    return true;
}

static Cursor whole(const char *text)
{
    return (Cursor){ text, text + strlen(text) };
}

static bool same(const Cursor *cursor, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(cursor->end - cursor->at) == length &&
           memcmp(cursor->at, word, length) == 0;
}

int access_rules_find(const char *text, const char *bdf, const char **rules)
{
    Cursor rest = whole(text), device, entry;
    int length = -1;

    while (next_entry(&rest, &device, &entry)) {
        bool own = same(&device, bdf);

        if (own || same(&device, "*")) {
            *rules = entry.at;
            length = entry.end - entry.at;
        }
        if (own) {
            break;
        }
    }
    return length;
}

static bool named_before(const char *text, const Cursor *device)
{
    Cursor rest = whole(text), other, entry;
    size_t length = device->end - device->at;

    while (next_entry(&rest, &other, &entry) && other.at < device->at) {
        if ((size_t)(other.end - other.at) == length &&
            memcmp(other.at, device->at, length) == 0) {
            return true;
        }
    }
    return false;
}

bool access_rules_valid(const char *text, const char **error)
{
    Cursor rest = whole(text), device, entry;
    AccessRules rules;

    *error = text;
    if (at_end(&rest) || rest.end - rest.at > ACCESS_MAX_TEXT ||
        rest.end[-1] == ' ') {
        return false;
    }
    while (next_entry(&rest, &device, &entry)) {
        Cursor name = device;

        *error = device.at;
        if (!take_device(&name) || !at_end(&name) ||
            named_before(text, &device) ||
            !access_rules_parse(&rules, entry.at, entry.end - entry.at,
                                error)) {
            return false;
        }
    }
    return true;
}

static bool applies(const AccessRule *rule, unsigned region, uint64_t offset,
                    uint8_t direction, uint8_t byte)
{
    return rule->region == region && rule->first <= offset &&
           offset <= rule->last && rule->directions & direction &&
           (byte & rule->mask) == rule->value;
}

/* The last rule that applies decides, or else @otherwise */
static bool blocked_by_rule(const AccessRules *rules, unsigned region,
                            uint64_t offset, uint8_t direction, uint8_t byte,
                            bool otherwise)
{
    unsigned i;

    for (i = rules->count; i-- > 0;) {
        if (applies(&rules->rule[i], region, offset, direction, byte)) {
            return rules->rule[i].block;
        }
    }
    return otherwise;
}

void access_rules_resolve(AccessRules *rules, const uint8_t *config,
                          unsigned size)
{
    uint8_t assigned[ACCESS_CONFIG_SIZE] = { 0 };
    unsigned offset, i;

    config_layout_assigned(assigned, config, size);
    rules->blockable = rules->unassigned;
    for (offset = 0; offset < ACCESS_CONFIG_SIZE; offset++) {
        uint8_t state = assigned[offset] ? 0 : UNASSIGNED | rules->unassigned;

        for (i = 0; i < rules->count; i++) {
            const AccessRule *rule = &rules->rule[i];

            if (rule->region != ACCESS_CONFIG || offset < rule->first ||
                offset > rule->last) {
                continue;
            }
            if (rule->mask) {
                state |= CONDITIONAL;
            } else if (rule->block) {
                state |= rule->directions;
            } else {
                state &= ~rule->directions;
            }
        }
        rules->config[offset] = state;
        rules->blockable |= state & CONDITIONAL ? ACCESS_WRITE | state : state;
    }
}

static bool config_byte_blocked(const AccessRules *rules, uint64_t offset,
                                uint8_t direction, uint8_t byte)
{
    uint8_t state;

    if (offset >= ACCESS_CONFIG_SIZE) {
        return rules->unassigned & direction;
    }
    state = rules->config[offset];
    if (state & CONDITIONAL && direction == ACCESS_WRITE) {
        return blocked_by_rule(rules, ACCESS_CONFIG, offset, direction, byte,
                               state & UNASSIGNED &&
                                   rules->unassigned & direction);
    }
    return state & direction;
}

static bool any_bar_rule(const AccessRules *rules, unsigned bar,
                         uint64_t offset, uint64_t length, uint8_t direction)
{
    unsigned i;

    for (i = 0; i < rules->count; i++) {
        const AccessRule *rule = &rules->rule[i];

        if (rule->region == bar && rule->block &&
            rule->directions & direction && rule->first < offset + length &&
            rule->last >= offset) {
            return true;
        }
    }
    return false;
}

unsigned access_rules_judge(const AccessRules *rules, unsigned region,
                            uint64_t offset, uint64_t length, bool write,
                            const uint8_t *data)
{
    uint8_t direction = write ? ACCESS_WRITE : ACCESS_READ;
    unsigned i, blocked = 0;

    if (length > ACCESS_MAX_JUDGED) {
        if (region == ACCESS_CONFIG) {
            return write ? ALL_BYTES : 0;
        }
        return any_bar_rule(rules, region, offset, length, direction)
                   ? ALL_BYTES
                   : 0;
    }
    if (region == ACCESS_CONFIG && !(rules->blockable & direction)) {
        return 0; /* no rule is about reads, mostly */
    }
    for (i = 0; i < length; i++) {
        uint8_t byte = write ? data[i] : 0;

        if (region == ACCESS_CONFIG
                ? config_byte_blocked(rules, offset + i, direction, byte)
                : blocked_by_rule(rules, region, offset + i, direction, byte,
                                  false)) {
            blocked |= 1u << i;
        }
    }
    return blocked;
}

bool access_rules_unassigned(const AccessRules *rules, unsigned offset)
{
    return offset >= ACCESS_CONFIG_SIZE || rules->config[offset] & UNASSIGNED;
}

uint64_t access_rules_digest(const char *text, unsigned length)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);
    unsigned i;

    for (i = 0; i < length; i++) {
        digest = (digest ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return digest;
}
