/* SPDX-License-Identifier: Apache-2.0
 *
 * 06 - trains on data of one's own: a cop_dataset is a shape, a count and a function that makes sample i. Here: which
 * of two rings around the origin does a point lie on?
 */
#include <coppice.h>

#include <math.h>
#include <stdio.h>

/* The same i always gives the same sample; samples of different sets come from different i. */
static cop_status ring(void *ud, int32_t i, float *x, int32_t *label)
{
	uint32_t r = (uint32_t)i + *(const uint32_t *)ud;

	r = (r ^ r >> 16) * 0x45d9f3bu;
	r = (r ^ r >> 16) * 0x45d9f3bu;
	r ^= r >> 16;
	*label = (int32_t)(r & 1);
	float angle = (float)(r >> 1 & 0xffff) / 65536.0f * 6.2831853f,
	      radius = (*label ? 1.0f : 0.5f) + (float)(r >> 17) / 32768.0f * 0.4f;
	x[0] = radius * cosf(angle);
	x[1] = radius * sinf(angle);
	return COP_OK;
}

int main(void)
{
	static uint32_t from[] = {0, 1000000};
	const cop_type point = {.dtype = COP_F32, .rank = 1, .dim = {2}, .q = {.axis = -1}};
	cop_dataset train = {.name = "rings", .x = point, .count = 2000, .classes = 2, .get = ring, .ud = &from[0]};
	cop_dataset test = {.name = "rings", .x = point, .count = 500, .classes = 2, .get = ring, .ud = &from[1]};
	const cop_train_args a = {.epochs = 20, .batch = 20, .threads = 1, .lr = 0.05f, .seed = 1};
	cop_ctx *cx;
	cop_graph *g = NULL;
	cop_score score;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = cop_zoo_build(&g, cx, "mlp-2x16x16x2", &(cop_zoo_args){.seed = 1});
	if (!st) st = cop_train(g, &train, NULL, &a);
	if (!st) st = cop_eval(&score, g, &test, 50, 1);
	if (!st) printf("%.1f %% of %d points right\n", 100 * (double)score.accuracy, score.count);
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_graph_free(g);
	cop_ctx_free(cx);
	return -st;
}
