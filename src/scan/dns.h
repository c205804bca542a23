/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * scan/dns.h: the DNS of a case: its facts of kind FACT_DNS as the host that auth/ asks.
 */
#include "auth/dns.h"

struct scan;

/* Answers live as long as the case. */
struct dns_host scan_dns(struct scan *scan);
