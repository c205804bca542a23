/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * fuzz/fuzz.h: what every fuzz target includes. A target must not keep state from one input to the next, frees what it
 * takes, and asserts what must hold of any input (ASSERT aborts).
 */
#include "base/bytes.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
