/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * mail/url_unroll.h: URLs inside of a URL, found by form alone: in a parameter, path or fragment, plain, escaped up to
 * three times or in base64, and in the three forms of URL Defense.
 */
#include "mail/url.h"

#define URL_UNROLL_MAX   4 /* taken out of one URL */
#define URL_UNROLL_DEPTH 3 /* a URL in a URL in a URL */

NODISCARD enum err url_unroll(struct arena *arena, const struct url *url, struct bytes inner[static URL_UNROLL_MAX],
			      size_t *ret_count);
