/* SPDX-License-Identifier: Apache-2.0
 *
 * The network that rounds in floats and the integers that it stands for, bit for bit: the answers to every sample, whatever the bits and the steps. Steps of powers
 * of two put many sums at the very middle between two integers, where floats round away from zero and integers up.
 */
#include "compress/known.h"
#include "compress/quantize/fake.h"
#include "pass/lower.h"

#include <math.h>

enum { N = 24 };

static cop_status drawn(void *ud, int32_t i, float *x, int32_t *label)
{
	for (int64_t k = 0; k < cop_type_count(ud); k++) x[k] = cop__rand_unit(5, (uint32_t)i, (uint64_t)k) * 2 - 1;
	*label = 0;
	return COP_OK;
}

static float drawn_step(float was, uint32_t at) { return was * (0.8f + 0.4f * cop__rand_unit(6, at, 0)); }
static float power_of_two(float was, uint32_t at) { return (void)at, exp2f(roundf(log2f(was))); }

/* As training might leave them. */
static void move_steps(cop_graph *g, float (*to)(float, uint32_t))
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		const char *name = g->value[v].name;
		if (!name || !cop__match("*.step", name) || g->value[v].role != COP_PARAM) continue;
		float *s = cop__own(g, (cop_vid)v);
		int64_t n = cop_type_count(cop__t(g, (cop_vid)v));
		for (int64_t i = 0; i < n; i++) s[i] = i && s[i] <= 0 ? s[i] : to(s[i], (uint32_t)(31 * v + i)); /* an offset of zero stays */
	}
}

static cop_status keep(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)label;
	memcpy((float *)ud + 10 * i, y, sizeof *y * (size_t)n);
	return COP_OK;
}

static void same(cop_ctx *cx, const cop_graph *rounds, cop_dataset *d, const char *what, int weights, int activations)
{
	static float y[2][10 * N];
	cop_graph *whole;
	cop_score s;
	int differ = 0;

	OK(cx, cop__pass_unfake(&whole, rounds));
	OK(cx, cop_eval_each(&s, rounds, d, 8, 1, keep, y[0]));
	OK(cx, cop_eval_each(&s, whole, d, 8, 1, keep, y[1]));
	for (int i = 0; i < 10 * N; i++) differ += y[0][i] != y[1][i];
	if (differ) fail_msg("%s, w%da%d: %d of %d answers differ", what, weights, activations, differ, 10 * N);
	cop_graph_free(whole);
}

static void bit_for_bit(void **state)
{
	static const char *const nets[] = {"lenet-5", "resnet-8", "mobilenet-v2-0.35@32", "ds-cnn"};
	static const int bits[][2] = {{8, 8}, {4, 8}, {4, 4}};
	static float (*const to[])(float, uint32_t) = {drawn_step, power_of_two};

	for (int i = 0; i < LEN(nets); i++)
		for (int k = 0; k < LEN(bits); k++) {
			cop_graph *g, *rounds;
			OK(*state, cop_zoo_build(&g, *state, nets[i], &(cop_zoo_args){.classes = 10, .seed = 1}));
			cop_type t = *cop__t(g, g->input[0]), x = cop__type(COP_F32, t.rank - 1, t.dim + 1);
			cop_dataset d = {.name = "drawn", .x = x, .count = N, .classes = 10, .get = drawn, .ud = &x};
			const cop_quantize_args a = {.threads = 1, .per_tensor = k == 1, .wide_ends = k == 2, .limit = 4, .round = "nearest"};
			cop_quantizer z = {.a = &a, .weight_bits = bits[k][0], .act_bits = bits[k][1]};
			OK(*state, cop__quantizer_open(&z, g, &d));
			OK(*state, cop__set_ranges(&z));
			OK(*state, cop__quantize_weights(&z));
			for (int m = 0; m < LEN(to); m++) {
				OK(*state, cop__fake(&rounds, &z, &(cop_faking){.steps = true}));
				move_steps(rounds, to[m]);
				same(*state, rounds, &d, nets[i], bits[k][0], bits[k][1]);
				cop_graph_free(rounds);
			}
			cop__quantizer_close(&z);
			cop_graph_free(g);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(bit_for_bit)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
