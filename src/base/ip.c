/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ip.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/banned.h"

#define PREFIX_LEN 12

static const uint8_t v4_prefix[PREFIX_LEN] = {[10] = 0xff, [11] = 0xff};

bool ip_is_v4(const uint8_t ip[16])
{
	return memcmp(ip, v4_prefix, PREFIX_LEN) == 0;
}

/* inet_pton() reads up to a NUL. */
static bool parse(int family, struct bytes text, uint8_t *ret)
{
	char copy[IP_TEXT_MAX];
	if (text.len == 0 || text.len >= sizeof(copy) || bytes_has(text, 0))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return inet_pton(family, copy, ret) == 1;
}

bool ip_parse_v4(struct bytes text, uint8_t ret_ip[16])
{
	uint8_t four[4];
	if (!parse(AF_INET, text, four))
		return false;
	memcpy(ret_ip, v4_prefix, PREFIX_LEN);
	memcpy(ret_ip + PREFIX_LEN, four, sizeof(four));
	return true;
}

bool ip_parse_v6(struct bytes text, uint8_t ret_ip[16])
{
	uint8_t ip[16];
	if (!parse(AF_INET6, text, ip))
		return false;
	memcpy(ret_ip, ip, sizeof(ip));
	return true;
}

bool ip_parse(struct bytes text, uint8_t ret_ip[16])
{
	return ip_parse_v4(text, ret_ip) || ip_parse_v6(text, ret_ip);
}

struct bytes ip_format(const uint8_t ip[16], char out[static IP_TEXT_MAX])
{
	bool four = ip_is_v4(ip);
	if (!inet_ntop(four ? AF_INET : AF_INET6, four ? ip + PREFIX_LEN : ip, out, IP_TEXT_MAX))
		out[0] = '\0';
	return bytes_from_cstr(out);
}
