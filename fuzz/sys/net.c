/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/net.h"

#include "fuzz.h"

/* What is read can be written, and read again as the same address. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_address address, again;
	struct error error = {0};
	char text[NET_TEXT_MAX], twice[NET_TEXT_MAX];
	uint8_t ip[16], ip_again[16];
	if (net_parse(bytes_make(data, size), &address, &error) != ERR_OK) {
		ASSERT(error.code != ERR_OK && error.text[0] != '\0');
		return 0;
	}
	net_format(&address, text);
	ASSERT(net_parse(bytes_from_cstr(text), &again, &error) == ERR_OK);
	net_format(&again, twice);
	ASSERT(strcmp(text, twice) == 0 && net_is_unix(&address) == net_is_unix(&again));
	ASSERT(net_ip(&address, ip) == net_ip(&again, ip_again));
	ASSERT(net_is_unix(&address) || memcmp(ip, ip_again, 16) == 0);
	return 0;
}
