/* SPDX-License-Identifier: Apache-2.0 */
#include "learn/logistic.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"

#include "base/banned.h"

#define ROUNDS_MAX 2000
#define TOLERANCE  1e-6

/* The samples in which a feature is present: one slice of `samples` a feature. */
struct columns {
	size_t *begin; /* n_features + 1 */
	uint32_t *samples;
};

static enum err make_columns(struct arena *arena, const struct logistic_problem *problem, struct columns *ret)
{
	size_t total = 0;
	for (size_t i = 0; i < problem->n_samples * problem->n_features; i++)
		total += problem->present[i];
	ret->begin = arena_new(arena, size_t, problem->n_features + 1);
	ret->samples = arena_new(arena, uint32_t, total + 1);
	if (!ret->begin || !ret->samples)
		return ERR_NOMEM;
	size_t at = 0;
	for (size_t feature = 0; feature < problem->n_features; feature++) {
		ret->begin[feature] = at;
		for (size_t sample = 0; sample < problem->n_samples; sample++)
			if (problem->present[sample * problem->n_features + feature])
				ret->samples[at++] = (uint32_t)sample;
	}
	ret->begin[problem->n_features] = at;
	return ERR_OK;
}

struct state {
	const struct logistic_problem *problem;
	struct columns columns;
	double *scores; /* of each sample */
};

/* First and second derivative of the loss along one weight; sample list NULL: all of them (the bias). */
static void derive(const struct state *state, const uint32_t *samples, size_t n, double *ret_slope, double *ret_curve)
{
	double slope = 0, curve = 0;
	for (size_t i = 0; i < n; i++) {
		size_t sample = samples ? samples[i] : i;
		double p = 1.0 / (1.0 + exp(-state->scores[sample]));
		slope += p - (double)state->problem->positive[sample];
		curve += p * (1.0 - p);
	}
	*ret_slope = slope;
	*ret_curve = curve;
}

static void shift(struct state *state, const uint32_t *samples, size_t n, double step)
{
	for (size_t i = 0; i < n; i++)
		state->scores[samples ? samples[i] : i] += step;
}

/* One Newton step, at most one nat; returns how far it went. */
static double move(struct state *state, const uint32_t *samples, size_t n, double *weight, double penalty, double lower,
		   double upper)
{
	double slope, curve;
	derive(state, samples, n, &slope, &curve);
	slope += penalty * *weight;
	curve += penalty + 1e-9;
	double step = -slope / curve;
	step = step > 1.0 ? 1.0 : step < -1.0 ? -1.0 : step;
	double to = fmin(fmax(*weight + step, lower), upper);
	step = to - *weight;
	*weight = to;
	shift(state, samples, n, step);
	return fabs(step);
}

enum err logistic_fit(struct arena *arena, const struct logistic_problem *problem, double *weights, double *ret_bias)
{
	struct state state = {.problem = problem};
	TRY(make_columns(arena, problem, &state.columns));
	state.scores = arena_new(arena, double, problem->n_samples + 1);
	if (!state.scores)
		return ERR_NOMEM;
	double bias = 0;
	for (size_t feature = 0; feature < problem->n_features; feature++)
		weights[feature] = fmin(fmax(0.0, problem->lower[feature]), problem->upper[feature]);
	for (size_t feature = 0; feature < problem->n_features; feature++)
		shift(&state, state.columns.samples + state.columns.begin[feature],
		      state.columns.begin[feature + 1] - state.columns.begin[feature], weights[feature]);
	for (int round = 0; round < ROUNDS_MAX; round++) {
		double farthest = move(&state, NULL, problem->n_samples, &bias, 0, -40, 40);
		for (size_t feature = 0; feature < problem->n_features; feature++) {
			size_t begin = state.columns.begin[feature], end = state.columns.begin[feature + 1];
			farthest = fmax(farthest,
					move(&state, state.columns.samples + begin, end - begin, &weights[feature],
					     problem->penalty, problem->lower[feature], problem->upper[feature]));
		}
		if (farthest < TOLERANCE)
			break;
	}
	*ret_bias = bias;
	return ERR_OK;
}

struct scored {
	double score;
	uint8_t positive;
};

static int by_score(const void *left, const void *right)
{
	double a = ((const struct scored *)left)->score, b = ((const struct scored *)right)->score;
	return a < b ? -1 : a > b;
}

enum err logistic_auc(struct arena *arena, const double *scores, const uint8_t *positive, size_t n, double *ret_auc)
{
	struct scored *sorted = arena_new(arena, struct scored, n + 1);
	double wins = 0, n_positive = 0, n_negative = 0;
	if (!sorted)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct scored){scores[i], positive[i]};
	qsort(sorted, n, sizeof(sorted[0]), by_score);
	for (size_t i = 0; i < n;) {
		double tied_positive = 0, tied_negative = 0;
		size_t end = i;
		for (; end < n && sorted[end].score == sorted[i].score; end++) {
			tied_positive += sorted[end].positive ? 1 : 0;
			tied_negative += sorted[end].positive ? 0 : 1;
		}
		wins += tied_positive * (n_negative + tied_negative / 2);
		n_positive += tied_positive;
		n_negative += tied_negative;
		i = end;
	}
	*ret_auc = n_positive > 0 && n_negative > 0 ? wins / (n_positive * n_negative) : 0.5;
	return ERR_OK;
}
