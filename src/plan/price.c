/* SPDX-License-Identifier: Apache-2.0
 *
 * price - how many instructions a plan takes on a board, without a board: the sum over its steps of what their kernels
 * were measured to take, by the size of their work. bench/prices.py makes the table and compares it with whole networks
 * in the emulator.
 */
#include "kernel/runs.h"
#include "plan/plan.h"

typedef struct price { const char *kernel; double each, out, read, row, mac; } price;
static const price m4[] = {
#define M4(kernel, each, out, read, row, mac) {kernel, each, out, read, row, mac},
#include "plan/price.def"
#undef M4
	{NULL, 0, 0, 0, 0, 0},
};
/* Machines with the same instructions and compiler flags. */
static const struct { const char *target; const price *of; } tables[] = {{"cortex-m4", m4}, {"netduinoplus2", m4}};

static const price *table_of(const cop_target *t)
{
	for (int i = 0; i < LEN(tables); i++)
		if (t->name && !strcmp(t->name, tables[i].target)) return tables[i].of;
	return NULL;
}

bool cop__has_prices(const cop_target *t) { return table_of(t) != NULL; }

/* What is known of no kernel costs what a multiplication costs in the dearest one that is. */
static double guess(const price *p, int64_t macs, double out)
{
	double most = 0;

	for (; p->kernel; p++) most = COP_MAX(most, p->mac);
	return most * (double)macs + 10 * out;
}

/* Numbers that are read for one channel of the result: windows of convolutions overlap. */
static double numbers_read(const cop_step_info *s)
{
	return s->macs ? (double)s->macs / (double)s->channels : (double)s->inputs;
}

static double parts_of(const cop_step_info *s) { return s->parts > 1 ? s->parts : 1; }

/* Of decoding weights: each byte of them and the tables, or, adaptive, each byte of the code. Counted on four networks and on eight layers in the emulator. */
static double by_code(cop_code code, size_t code_bytes, size_t decoded_bytes)
{
	return code == COP_CODE_ADAPTIVE ? 310 * (double)code_bytes : 10.2 * (double)decoded_bytes + 9000;
}

double cop__decoding_price(const cop_step *st) { return by_code(cop_coded_runs(st->code) ? COP_CODE_ADAPTIVE : COP_CODE_TABLES, st->code_bytes, st->image_bytes); }

static double decoding(const cop_step_info *s) { return s->code ? by_code(s->code, s->code_bytes, s->decoded_bytes) : 0; }

/* Times the price of a multiply-accumulate where weights of 4 bits have room (kernel.h, roomy); counted on the networks of docs/results/few-bits.md. */
static const double ROOMY = 0.897;

/* By the row of a kernel; below 0: there is none. */
static double by_row(const price *p, const cop_step_info *s, const char *kernel)
{
	while (p->kernel && strcmp(p->kernel, kernel)) p++;
	if (!p->kernel) return -1;
	const double mac = s->form && !strcmp(s->form, "nibbles, roomy") ? ROOMY * p->mac : p->mac;
	return p->out * (double)s->outputs + mac * (double)s->macs + parts_of(s) * (p->each + p->read * numbers_read(s) + p->row * (double)s->rows);
}

/* What a kernel for sparse weights takes the place of. */
static const char *dense_kernel(const cop_step_info *s)
{
	if (strcmp(s->op, "qconv")) return strcmp(s->op, "fc") ? "cop_conv_f32" : "cop_fc_f32";
	return s->outputs == s->channels ? "cop_qfc_dsp" : "cop_qconv_dsp";
}

static double step_price(const price *p, const cop_step_info *s, int64_t *guessed)
{
	double known = by_row(p, s, s->kernel), dense = by_row(p, s, dense_kernel(s));

	if (known >= 0) return known;
	*guessed += s->macs + s->outputs;
	if (s->sparse_time > 0 && s->sparse_time < 1 && dense >= 0) return s->sparse_time * dense; /* as the plan expects */
	return guess(p, s->macs, (double)s->outputs);
}

/* A result that is scaled by the general code takes so many more. */
static const double ANY_SCALE = 57;

/* Does a layer of int8 need that: for bounds within int8, or multipliers of 1 and more, which depthwise layers of 3 x 3 double away? */
static bool any_scale(const cop_step *st, const cop_step_info *s)
{
	const int32_t *k = st->word;

	if (strcmp(s->op, "qconv") || strncmp(s->kernel, "cop_q", 5) || !strstr(s->kernel, "_dsp")) return false;
	if (k[CK_LO] != -128 || k[CK_HI] != 127) return true;
	return !k[QK_TWICE] && k[QK_UP] && (strncmp(s->kernel, "cop_qdwconv", 11) || k[QK_UP] < 0);
}

bool cop__plan_price(cop_priced *out, const cop_plan *p, const cop_target *t)
{
	const price *of = table_of(t);
	cop_step_info s;
	int64_t guessed = 0, all = 0;
	double sum = 0, decoded = 0;

	*out = (cop_priced){0};
	if (!of) return false;
	for (int32_t i = 0; cop_plan_step(p, 0, i, &s); i++) {
		sum += step_price(of, &s, &guessed);
		if (any_scale(&p->entry[0].step[i], &s)) sum += ANY_SCALE * (double)s.outputs;
		decoded += decoding(&s);
		all += s.macs + s.outputs;
	}
	*out = (cop_priced){(int64_t)(sum + decoded + 0.5), (int64_t)(decoded + 0.5), all ? (float)((double)guessed / (double)all) : 0};
	return true;
}
