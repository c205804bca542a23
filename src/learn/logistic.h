/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * learn/logistic.h: L2-regularised logistic regression over binary features, each weight kept within bounds.
 *
 * Pure and deterministic: cyclic coordinate descent with one Newton step a coordinate (Chang, Hsieh and Lin, JMLR
 * 2008), projected onto the bounds; the same input gives the same weights. Doubles, no fast-math.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct arena;

struct logistic_problem {
	size_t n_samples, n_features;
	const uint8_t *present;      /* n_samples rows of n_features bytes, 0 or 1 */
	const uint8_t *positive;     /* of each sample, 0 or 1 */
	const double *lower, *upper; /* of each feature's weight */
	double penalty;              /* the weights' squares cost penalty / 2 each; the bias costs nothing */
};

/*
 * Fills `weights` (n_features) and *ret_bias, in nats. Stops when no weight moves by more than 1e-6, or after 2,000
 * rounds. Fails: ERR_NOMEM.
 */
NODISCARD enum err logistic_fit(struct arena *arena, const struct logistic_problem *problem, double *weights,
				double *ret_bias);

/* Area under the ROC curve: how often a positive sample scores above a negative one, ties half. O(n log n); sorts a
 * copy. */
NODISCARD enum err logistic_auc(struct arena *arena, const double *scores, const uint8_t *positive, size_t n,
				double *ret_auc);
