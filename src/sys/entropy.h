/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * sys/entropy.h: bytes that nobody can guess.
 */
#include <stddef.h>

#include "base/err.h"

/* ERR_IO when the kernel has none. */
NODISCARD enum err entropy_fill(void *out, size_t size);
