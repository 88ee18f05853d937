/* SPDX-License-Identifier: Apache-2.0
 *
 * coded.h - int8 networks whose weights lie in flash in fewer bits, written as C: coded by either code, or as nibbles.
 */
#ifndef TESTS_EMIT_CODED_H
#define TESTS_EMIT_CODED_H

#include "emit/int8_net.h"
#include "emit/machine.h"

/* How many steps have their weight decoded. */
static inline int32_t coded_steps(cop_ctx *cx, cop_graph *g, const char *machine)
{
	cop_target t;
	cop_plan *p;
	int32_t n = 0;

	OK(cx, cop_target_find(&t, cx, machine));
	t.ram = t.flash = 0;
	t.isa &= COP_ISA_DSP;
	t.coded = true;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	for (int32_t s = 0; s < p->entry[0].n_step; s++) n += p->entry[0].step[s].code != NULL;
	cop_plan_free(p);
	return n;
}

/* The same bits where weights are coded (of few values, of seven bits, one of -128 among them), and where layers are computed in parts of a few filters besides. */
typedef cop_graph *net_fn(cop_ctx *cx, bool twice);
static const struct { const char *how; int values, zeros, least; net_fn *net; } coded_as[] = {{"code:most=1", 5, 0, 3, int8_net}, {"code:most=1,buffer=300", 5, 0, 3, int8_net},
	{"code:most=1", 128, 35, 1, int8_net}, {"code:most=1,by=adaptive,buffer=300", 5, 0, 3, int8_net}, {"code:most=1,by=adaptive", 7, 95, 2, rows_net}, {"code:most=1,by=adaptive", 5, 97, 2, rows_net},
	{"code:most=1", 256, 35, 1, int8_net}, {"code:most=1,by=adaptive", 256, 35, 1, int8_net}};
enum { SHORTER = LEN(coded_as) - 2 };
static inline void check_coded(cop_ctx *cx, const machine *m, int from, int to)
{
	for (int i = from; i < to; i++) {
		int8_values = coded_as[i].values;
		int8_zeros = coded_as[i].zeros; /* but for `rows_net` fewer than kernels for sparse weights pay for: tables leave those as they are */
		cop_graph *g = coded_as[i].net(cx, i % 2);
		recorded whole = record_model(cx, g);
		OK(cx, cop_graph_apply(&g, coded_as[i].how));
		recorded r = record_model(cx, g);
		expect_same(r.out, whole.out, whole.n_out, coded_as[i].how);
		free(r.in), free(r.out), free(whole.in), free(whole.out);
		int32_t n = coded_steps(cx, g, m->target);
		if (n < coded_as[i].least) fail_msg("%s, %d values, %s: %d steps are coded", m->target, int8_values, coded_as[i].how, n);
		check_inference(cx, g, m);
		cop_graph_free(g);
	}
	int8_values = int8_zeros = 0;
}

/* Rows of sparse weights are decoded in parts where RAM is short. c1 fills it already: two parts of 16 channels, since each reads the input again. f1: as many as fit the RAM that c1
 * needs then. All that is less than the kernel for pairs of weights takes, which can't be decoded to. */
static inline void check_parts(cop_ctx *cx, const machine *m)
{
	cop_step_info s;
	cop_target t;
	cop_plan *plain, *p;

	int8_values = 7, int8_zeros = 95;
	cop_graph *g = rows_net(cx, false);
	OK(cx, cop_target_find(&t, cx, m->target));
	t.isa &= COP_ISA_DSP;
	t.coded = true;
	OK(cx, cop_plan_build(&plain, &g, 1, &t));
	OK(cx, cop_graph_apply(&g, "code:most=1,by=adaptive"));
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	size_t most = 0;
	for (int32_t i = 0; cop_plan_step(p, 0, i, &s); i++) {
		if (!strcmp(s.name, "c1.w")) most = s.live_bytes, assert_int_equal(s.parts, 2);
		if (!strcmp(s.name, "f1.w")) assert_true(s.parts > 1 && s.live_bytes <= most && s.live_bytes + s.decoded_bytes / (size_t)(s.parts - 1) > most);
	}
	assert_true(cop_plan_bytes(p, COP_TEMP) <= cop_plan_bytes(plain, COP_TEMP));
	cop_plan_free(plain);
	cop_plan_free(p);
	cop_graph_free(g);
	int8_values = int8_zeros = 0;
}

/* Weights of few bits lie in flash as such: the plan takes no more RAM than with bytes, and little more than their part of the flash. Those of 4 bits that are used
 * most take a third more. */
static inline void check_few_bits(cop_ctx *cx, const machine *m, bool dsp, int bits)
{
	static const struct { const char *name, *form; } row[] = {{"c1.w", "nibbles, roomy"}, {"c2.w", "nibbles"}, {"c3.w", "nibbles"}, {"fc.w", "nibbles"}};
	cop_graph *bytes = few_net(cx, false);
	cop_figures eight, few;
	cop_step_info s;
	cop_target t;
	cop_plan *p;

	OK(cx, cop_target_find(&t, cx, m->target));
	OK(cx, cop_measure(&eight, bytes, &t));
	weight_bits = bits;
	for (int twice = 0; twice < 2; twice++) {
		cop_graph *g = few_net(cx, twice), *other = int8_net(cx, twice);
		OK(cx, cop_measure(&few, g, &t));
		if (few.ram_bytes != eight.ram_bytes && (dsp || few.ram_bytes > eight.ram_bytes)) fail_msg("%s: %zu bytes of RAM, with bytes %zu", m->target, few.ram_bytes, eight.ram_bytes); /* without DSP instructions bytes alone have a window */
		const double more = bits == 4 ? 0.15 : 0.1; /* biases and the like; c1, a third of the weights, has room */
		if (dsp && (double)few.flash_bytes > (more + bits / 8.0) * (double)eight.flash_bytes) fail_msg("%s: %zu bytes of flash, with bytes %zu", m->target, few.flash_bytes, eight.flash_bytes);
		OK(cx, cop_plan_build(&p, &g, 1, &t));
		for (int i = 0; dsp && i < LEN(row); i++)
			for (int k = 0; cop_plan_step(p, 0, k, &s); k++)
				if (s.name && !strcmp(s.name, row[i].name)) assert_string_equal(s.form, bits == 4 ? row[i].form : "twos");
		cop_plan_free(p);
		check_inference(cx, g, m);
		check_inference(cx, other, m);
		cop_graph_free(g);
		cop_graph_free(other);
	}
	weight_bits = 8;
	cop_graph_free(bytes);
}

/* What takes weights of 4 or 2 bits apart is linked where there are such weights, and nowhere else. */
static inline void check_linked(cop_ctx *cx)
{
	static const struct { int bits; const char *only; } row[] = {{8, ""}, {4, "few_fours"}, {2, "few_twos"}};
	char command[200];
	folder f;

	for (int i = 0; i < LEN(row); i++) {
		weight_bits = row[i].bits;
		cop_graph *g = few_net(cx, false);
		open_folder(&f);
		emit(cx, &f, g, &m4, NULL);
		snprintf(command, sizeof command, "arm-none-eabi-nm check/build/my_net.elf >names && test \"$(sed -n 's/.* \\(few_[a-z]*\\)$/\\1/p' names)\" = '%s'", row[i].only);
		shell(&f, command, false);
		close_folder(&f);
		cop_graph_free(g);
	}
	weight_bits = 8;
}

#endif
