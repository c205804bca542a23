/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * base/ip.h: IP addresses and their text. An address is 16 bytes everywhere; that of IPv4 is ::ffff:a.b.c.d
 * (RFC 4291, 2.5.5.2).
 */
#include "base/bytes.h"

#define IP_TEXT_MAX 46 /* with its NUL */

bool ip_is_v4(const uint8_t ip[16]);

/*
 * Reads a text that is an address and nothing else: four decimal numbers, or a form of RFC 4291, 2.2. False, and
 * nothing written, where it is none.
 */
bool ip_parse_v4(struct bytes text, uint8_t ret_ip[16]);
bool ip_parse_v6(struct bytes text, uint8_t ret_ip[16]);
bool ip_parse(struct bytes text, uint8_t ret_ip[16]);

/* As RFC 5952 has it, IPv4 as four numbers; returns the text in `out`. */
struct bytes ip_format(const uint8_t ip[16], char out[static IP_TEXT_MAX]);
