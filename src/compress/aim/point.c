/* SPDX-License-Identifier: Apache-2.0
 *
 * point - a network in its deployed form, scored and priced.
 */
#include "compress/aim/aim.h"
#include "compress/encode.h"
#include "io/cop/cop.h"
#include "pass/pass.h"
#include "plan/plan.h"
#include "run/deploy.h"

#include <math.h>

enum { CALIBRATED = 256, FEW_CALIBRATED = 2000 }; /* what rounding to few bits makes good for is better known from more */

const char *const cop__resource_name[COP_N_RESOURCE] = {"bytes of the file", "bytes of RAM", "bytes of flash",
	"multiply-accumulates", "instructions", "milliseconds"};

/* The adaptive code in the place of tables, which miss the limit on flash, if it meets that one within the limit on instructions. */
static cop_status code_adaptive(cop_graph **g, const cop_graph *plain, const cop_aimer *z, const cop_target *t)
{
	const cop_code_args how = {COP_CODE_ADAPTIVE, (int64_t)z->limit[COP_R_INSTRUCTIONS]};
	cop_graph *other;
	cop_coded is;

	COP_TRY(cop__pass_copy(&other, plain));
	cop_status st = cop_graph_code(&other, t, &how, &is);
	const bool met = !st && is.layers && (double)is.flash <= z->limit[COP_R_FLASH] && (!how.instructions || is.instructions <= how.instructions);
	cop_graph *worse = met ? *g : other;
	if (met) *g = other;
	cop_graph_free(worse);
	return st;
}

/* By tables; where the least product of flash and instructions takes more of these than it may, the least flash within that. */
static cop_status code_tables(cop_graph **g, const cop_aimer *z, const cop_target *t, cop_coded *is)
{
	cop_graph *plain;

	COP_TRY(cop__pass_copy(&plain, *g));
	cop_status st = cop_graph_code(g, t, &(cop_code_args){.by = COP_CODE_TABLES}, is);
	if (!st && z->most_instructions > 0 && (double)is->instructions > z->most_instructions) {
		cop_graph_free(*g);
		*g = plain, plain = NULL;
		st = cop_graph_code(g, t, &(cop_code_args){COP_CODE_TABLES, (int64_t)z->most_instructions}, is);
	}
	cop_graph_free(plain);
	return st;
}

/* Within the RAM that is allowed; without a limit, see cop_graph_code. Flash that is not
 * missing is not bought with more instructions than it is worth: a fully connected layer decodes each weight for one
 * multiplication. */
static cop_status code(cop_graph **g, const cop_aimer *z)
{
	cop_target t = z->t;
	cop_graph *plain;
	cop_coded is;

	const double ram = z->limit[COP_R_RAM] > 0 ? z->limit[COP_R_RAM] : z->most_ram;

	t.ram = ram > 0 ? (size_t)ram + COP_STACK : 0; /* the limit is without it */
	COP_TRY(cop__pass_copy(&plain, *g));
	cop_status st = code_tables(g, z, &t, &is);
	bool wanted = z->limit[COP_R_FLASH] > 0 && (double)is.flash_before > z->limit[COP_R_FLASH];
	if (!st && !wanted && (double)is.flash * (double)is.instructions > (double)is.flash_before *
		(double)is.instructions_before) {
		cop_graph_free(*g);
		*g = plain, plain = NULL;
	}
	if (!st && wanted && (double)is.flash > z->limit[COP_R_FLASH]) st = code_adaptive(g, plain, z, &t);
	cop_graph_free(plain);
	return st;
}

cop_status cop__aim_final(cop_graph **out, cop_aimer *z, const cop_graph *g, cop_final final, int32_t samples)
{
	const bool few = final == COP_FINAL_FEW;
	const cop_quantize_args q = {.scheme = few ? "w4a8" : NULL, .wide_ends = few, .round = few && samples ? "nearest" : NULL, .limit = samples ? samples : few ? FEW_CALIBRATED : CALIBRATED,
		.threads = z->a->threads, .seed = z->a->seed};

	if (final == COP_FINAL_CODES) return cop__encode_weights(out, g, "*", COP_CODEC_AUTO, z->m.encodings);
	COP_TRY(cop__pass_copy(out, g));
	if (final == COP_FINAL_FLOATS) return COP_OK;
	cop_status st = cop_quantize(out, z->m.train, &q);
	if (!st) st = cop__pass_then(out, cop__pass_shrink);
	if (!st && final == COP_FINAL_CODED && cop__can_code(*out)) st = code(out, z);
	if (st) cop_graph_free(*out), *out = NULL;
	return st;
}

cop_status cop__aim_price(cop_point *p, cop_aimer *z, const cop_graph *q)
{
	const cop_figures *f = &p->figures;
	size_t bytes;
	double us = 0;

	COP_TRY(cop_measure(&p->figures, q, &z->t));
	COP_TRY(z->final == COP_FINAL_CODES ? cop__model_size_by(&bytes, q, cop__encodings_stored, z->m.encodings)
		: cop__model_size(&bytes, q));
	p->figures.file_bytes = bytes;
	if (z->watched[COP_R_MS]) COP_TRY(cop__latency(&us, q));
	const double of[] = {(double)bytes, (double)f->ram_bytes, (double)f->flash_bytes, (double)f->macs,
		(double)f->instructions, us / 1000};
	memcpy(p->of, of, sizeof of);
	return COP_OK;
}

static cop_status score(cop_point *p, const cop_aimer *z, const cop_graph *g, const cop_dataset *d, int32_t samples)
{
	cop_dataset some = *d;
	cop_score s;

	if (samples && some.count > samples) some.count = samples;
	COP_TRY(cop_eval(&s, g, &some, 100, z->a->threads));
	p->accuracy = s.accuracy;
	p->loss = s.loss;
	return COP_OK;
}

cop_status cop__aim_score(cop_point *p, const cop_aimer *z, const cop_graph *g, int32_t samples)
{
	return score(p, z, g, z->m.valid ? z->m.valid : z->m.train, samples);
}

cop_status cop__aim_score_train(cop_point *p, const cop_aimer *z, const cop_graph *g, int32_t samples) { return score(p, z, g, z->m.train, samples); }

cop_status cop__aim_could_code(bool *yes, cop_aimer *z)
{
	enum { COARSE = 24 }; /* of 255 values about eleven are left, as that training leaves them; none is zero */
	cop_graph *q;
	size_t before = 0;
	cop_point p;

	COP_TRY(cop__aim_final(&q, z, z->came, COP_FINAL_INTEGERS, 8)); /* a run that goes on asks the same */
	cop_status st = cop__aim_price(&p, z, q);
	before = (size_t)p.of[COP_R_FLASH];
	for (cop_nid n = 1; !st && n <= (cop_nid)q->n_node; n++) {
		cop_vid w = q->node[n].op == OP_qconv ? cop__arg(q, n, 1) : 0;
		int8_t *x = w && q->value[w].role == COP_CONST && q->value[w].type.dtype == COP_I8 ? cop__own(q, w) : NULL;
		for (int64_t i = 0; x && i < cop_type_count(cop__t(q, w)); i++)
			x[i] = (int8_t)(x[i] / COARSE * 2 + (x[i] < 0 ? -1 : 1));
	}
	if (!st && cop__can_code(q)) st = code(&q, z);
	if (!st) st = cop__aim_price(&p, z, q);
	cop_graph_free(q);
	*yes = !st && p.of[COP_R_FLASH] < COP_CODED_MOST * (double)before;
	return st;
}

cop_code cop__aim_code(const cop_graph *q)
{
	cop_code code = COP_CODE_NONE;

	for (cop_nid n = 1; n <= (cop_nid)q->n_node; n++) {
		if (q->node[n].op != OP_qconv) continue;
		COP_ATTR(cop_qconv_attr, a, q, n);
		if (a.coded) code = (cop_code)a.coded;
	}
	return code;
}

double cop__aim_lost(const cop_point *first, const cop_point *p)
{
	if (p->accuracy >= 0) return 100 * ((double)first->accuracy - (double)p->accuracy);
	return first->loss > 0 ? 100 * ((double)p->loss / (double)first->loss - 1) : 0;
}

double cop__aim_drop(const cop_aimer *z, const cop_point *p) { return cop__aim_lost(&z->first, p); }

double cop__aim_allowed(const cop_aimer *z)
{
	const double most = (double)z->aims->max_drop;
	return most > 0 && z->first.accuracy >= 0 ? fmax(most, 100.0 / (z->m.valid ? z->m.valid : z->m.train)->count) : most;
}

cop_status cop__aim_excess(double *sum, const cop_aimer *z, const cop_graph *q, double most)
{
	cop_graph *g = NULL;
	cop_plan *p = NULL;
	cop_target open = z->t;
	cop_step_info s;

	*sum = 0;
	open.ram = open.flash = 0;
	cop_status st = cop__pass_copy(&g, q);
	if (!st) g->outline = true;
	if (!st) st = cop__pass_then(&g, cop__pass_deploy);
	if (!st) st = cop_plan_build(&p, &g, 1, &open);
	for (int32_t i = 0; !st && cop_plan_step(p, 0, i, &s); i++)
		if ((double)s.live_bytes > most) *sum += (double)s.live_bytes - most;
	cop_plan_free(p);
	cop_graph_free(g);
	return st;
}
