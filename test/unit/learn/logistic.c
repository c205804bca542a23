/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "base/arena.h"
#include "learn/logistic.h"

#define N        4000
#define FEATURES 4

/* Samples drawn from known weights by a fixed generator. */
static void draw(uint8_t *present, uint8_t *positive)
{
	static const double truth[FEATURES] = {2.0, -1.0, 0.0, 1.0};
	uint64_t state = 1;
	for (size_t i = 0; i < N; i++) {
		double score = -1.0;
		for (size_t f = 0; f < FEATURES; f++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			present[i * FEATURES + f] = (state >> 62) == 0;
			score += present[i * FEATURES + f] ? truth[f] : 0;
		}
		state = state * 6364136223846793005u + 1442695040888963407u;
		positive[i] = (double)(state >> 11) / 9007199254740992.0 < 1.0 / (1.0 + exp(-score));
	}
}

static void finds_the_weights_it_was_drawn_from(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	static uint8_t present[N * FEATURES], positive[N];
	double lower[FEATURES] = {-9, -9, -9, -9}, upper[FEATURES] = {9, 9, 9, 9}, weights[FEATURES], bias;
	struct logistic_problem problem = {N, FEATURES, present, positive, lower, upper, 1.0};
	draw(present, positive);
	assert_ok(logistic_fit(arena, &problem, weights, &bias));
	assert_true(fabs(bias + 1.0) < 0.15);
	assert_true(fabs(weights[0] - 2.0) < 0.3);
	assert_true(fabs(weights[1] + 1.0) < 0.3);
	assert_true(fabs(weights[2]) < 0.3);
	assert_true(fabs(weights[3] - 1.0) < 0.3);
}

static void keeps_its_bounds(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	static uint8_t present[N * FEATURES], positive[N];
	double lower[FEATURES] = {0, 0, 0, 0}, upper[FEATURES] = {1, 9, 9, 9}, weights[FEATURES], bias;
	struct logistic_problem problem = {N, FEATURES, present, positive, lower, upper, 1.0};
	draw(present, positive);
	assert_ok(logistic_fit(arena, &problem, weights, &bias));
	assert_true(weights[0] == 1.0);
	assert_true(weights[1] == 0.0);
}

static void separable_samples_stay_finite(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	uint8_t present[] = {1, 1, 0, 0}, positive[] = {1, 1, 0, 0};
	double lower = -9, upper = 9, weight, bias;
	struct logistic_problem problem = {4, 1, present, positive, &lower, &upper, 0.1};
	assert_ok(logistic_fit(arena, &problem, &weight, &bias));
	assert_true(weight > 1 && weight < 9 && isfinite(bias));
}

static void auc_counts_ties_half(void **state)
{
	(void)state;
	CLEANUP(arena_free) struct arena *arena = arena_create(SIZE_MAX);
	double scores[] = {3, 2, 2, 1}, auc;
	uint8_t positive[] = {1, 1, 0, 0};
	assert_ok(logistic_auc(arena, scores, positive, 4, &auc));
	assert_true(fabs(auc - 0.875) < 1e-12);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_the_weights_it_was_drawn_from),
	cmocka_unit_test(keeps_its_bounds),
	cmocka_unit_test(separable_samples_stay_finite),
	cmocka_unit_test(auc_counts_ties_half),
};
UNIT_MAIN(tests)
