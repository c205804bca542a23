/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/url_host.h: hosts of URLs as browsers read them (WHATWG URL 3.5): escapes, IDNA by UTS 46 (non-transitional),
 * IPv4 in every spelling, IPv6.
 */
#include "base/bytes.h"
#include "base/err.h"

#define URL_HOST_MAX 1024 /* bytes; what is longer resolves nowhere */

/*
 * Writes the normal form of `raw` (brackets of IPv6 included, port not) to `out`, for IPv6 without brackets, and adds
 * enum url_flag to `*flags`. ERR_SYNTAX when a browser would refuse it.
 */
NODISCARD enum err url_host_parse(struct bytes raw, uint8_t out[static URL_HOST_MAX], size_t *ret_len, unsigned *flags);
