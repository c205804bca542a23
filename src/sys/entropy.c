/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/entropy.h"

#include <sys/random.h>
#include <sys/types.h>

#include "base/banned.h"

enum err entropy_fill(void *out, size_t size)
{
	return getrandom(out, size, 0) == (ssize_t)size ? ERR_OK : ERR_IO;
}
