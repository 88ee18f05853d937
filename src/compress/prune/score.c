/* SPDX-License-Identifier: Apache-2.0
 *
 * score - how much an item is worth. Means, not sums: items of different sizes are compared.
 */
#include "compress/prune/prune.h"

#include <math.h>

#define SCORE(name, needs, summary, source) float cop__score_##name(const cop_scored *x);
#include "compress/prune/score.def"
#undef SCORE
static const cop_score_row rows[] = {
#define SCORE(name, needs, summary, source) {{#name, summary, source, NULL, 0}, needs, cop__score_##name},
#include "compress/prune/score.def"
#undef SCORE
};
static const cop_row *row(int i) { return i >= 0 && i < LEN(rows) ? &rows[i].row : NULL; }
const cop_table cop__scores = {"scores", "score", "by which pruning decides what goes", row};
const cop_score_row *cop__score(int32_t i) { return &rows[i]; }

float cop__score_magnitude(const cop_scored *x)
{
	double sum = 0;

	for (int64_t i = 0; i < x->n; i++) sum += fabs((double)x->weight[i]);
	return (float)(sum / (double)x->n);
}

float cop__score_l2(const cop_scored *x)
{
	double sum = 0;

	for (int64_t i = 0; i < x->n; i++) sum += (double)x->weight[i] * (double)x->weight[i];
	return (float)sqrt(sum / (double)x->n);
}

float cop__score_random(const cop_scored *x) { return cop__rand_unit(x->seed, x->stream, x->index); }
