/* SPDX-License-Identifier: Apache-2.0
 *
 * ask - what a plan says of itself: variables, bytes of each segment, steps, the peak.
 */
#include "enc/enc.h"
#include "kernel/runs.h"
#include "plan/plan.h"

const cop_var *cop__plan_var(const cop_plan *p, const char *name)
{
	cop_index_at at = {0};

	for (uint32_t i; (i = cop__index_next(&p->names, &at, name));)
		if (!strcmp(p->var[i - 1].name, name)) return &p->var[i - 1];
	return NULL;
}

int32_t cop__plan_coded(const cop_entry *e, int32_t s)
{
	int32_t i = 0;

	if (!e->step[s].code) return -1;
	while (e->step[i].code != e->step[s].code) i++;
	return i;
}

size_t cop__plan_flash(const cop_plan *p)
{
	size_t sum = p->bytes[COP_SEG_PACK], align = (size_t)p->target.align;

	for (int32_t i = 0; i < p->n_var; i++)
		if (p->var[i].used && !p->var[i].written) sum += (cop_type_bytes(&p->var[i].type) + align - 1) / align * align;
	for (int e = 0; e < p->n_entry; e++)
		for (int32_t s = 0; s < p->entry[e].n_step; s++)
			if (cop__plan_coded(&p->entry[e], s) == s) sum += (p->entry[e].step[s].code_bytes + align - 1) / align * align;
	return sum;
}

const char *cop__plan_peak(const cop_plan *p, char buf[96])
{
	size_t most = 0; /* in the RAM that may not be enough */

	strcpy(buf, "none");
	for (int e = 0; e < p->n_entry; e++)
		for (int32_t s = 0; s < p->entry[e].n_step; s++)
			if (p->entry[e].step[s].live - p->entry[e].step[s].fast > most) {
				most = p->entry[e].step[s].live - p->entry[e].step[s].fast;
				cop__label(p->entry[e].g, p->entry[e].step[s].node, buf);
			}
	return buf;
}

size_t cop_plan_bytes(const cop_plan *p, cop_role segment)
{
	if (!p || (int)segment < COP_TEMP || segment > COP_STATE) return 0;
	static const cop_segment seg[] = {[COP_TEMP] = COP_SEG_ARENA, [COP_INPUT] = COP_SEG_PACK, [COP_CONST] = COP_SEG_FIXED,
		[COP_PARAM] = COP_SEG_PARAM, [COP_STATE] = COP_SEG_STATE};
	return p->bytes[seg[segment]];
}

size_t cop_plan_fast(const cop_plan *p) { return p ? p->bytes[COP_SEG_FAST] : 0; }

double cop_plan_fast_part(const cop_plan *p)
{
	if (!p) return 0;
	double all = 0, fast = 0;

	for (int e = 0; e < p->n_entry; e++)
		for (int32_t i = 0; i < p->entry[e].n_span; i++) {
			all += p->entry[e].span[i].heat;
			if (p->entry[e].span[i].fast) fast += p->entry[e].span[i].heat;
		}
	return all > 0 ? fast / all : 0;
}

size_t cop_plan_live(const cop_plan *p)
{
	if (!p) return 0;
	size_t most = 0;
	for (int e = 0; e < p->n_entry; e++) most = COP_MAX(most, p->entry[e].live);
	return most;
}

int32_t cop_plan_steps(const cop_plan *p, int entry) { return p && entry >= 0 && entry < p->n_entry ? p->entry[entry].n_step : 0; }

/* Of a layer: has weights that multiply-accumulates read. */
static void tell_form(cop_step_info *out, const cop_graph *g, const cop_step *s)
{
	const cop_type *t = s->weight ? cop__in(g, s->node, 1) : NULL;

	if (t && (t->dtype == COP_I4 || t->dtype == COP_I2) && (!s->kernel->pack || s->kernel->isa == COP_ISA_DSP)) { /* a host packs what it likes */
		out->form = t->dtype == COP_I2 ? "twos" : s->kernel->roomy && s->word[COP_ROOMY] ? "nibbles, roomy" : "nibbles";
		out->kept = 1;
		return;
	}
	if (!t || !out->macs || (t->dtype != COP_F32 && t->dtype != COP_I8)) return;
	int64_t n = cop_type_count(t), kept = t->enc != COP_DENSE ? cop__enc_kept(t, s->weight) : 0;
	for (int64_t i = 0; t->enc == COP_DENSE && i < n; i++)
		kept += t->dtype == COP_F32 ? ((const float *)s->weight)[i] < 0 || ((const float *)s->weight)[i] > 0
			: ((const int8_t *)s->weight)[i] != 0;
	out->form = s->kernel->shared ? "shared" : s->kernel->steps ? "sparse" : cop__enc_text(t->enc);
	out->kept = (double)kept / (double)n;
	out->sparse_time = s->sparse_time;
}

bool cop_plan_step(const cop_plan *p, int entry, int32_t i, cop_step_info *out)
{
	if (!p || !out || entry < 0 || entry >= p->n_entry) return false;
	const cop_entry *e = &p->entry[entry];
	cop_cost cost = {0};

	if (i < 0 || i >= e->n_step) return false;
	const cop_step *s = &e->step[i];
	const cop_op *op = cop__op(e->g, s->node);
	if (op->cost) op->cost(e->g, s->node, &cost);
	cop_vid named = cop__arg(e->g, s->node, 1) ? cop__arg(e->g, s->node, 1) : cop__res(e->g, s->node, 0);
	const cop_type *y = cop__outt(e->g, s->node, 0);
	cop_vid x = cop__arg(e->g, s->node, 0);
	*out = (cop_step_info){.op = op->name, .kernel = s->kernel->symbol, .name = e->g->value[named].name,
		.live_bytes = s->live, .fast_bytes = s->fast, .macs = cost.mac,
		.outputs = cop_type_count(y), .inputs = x ? cop_type_count(cop__t(e->g, x)) : 0, .channels = y->rank ? y->dim[y->rank - 1] : 1};
	if (strstr(op->name, "conv") && s->n_word > CK_G && out->channels)
		out->rows = s->word[CK_G] > 1 ? out->outputs / s->word[CK_OW] * ((s->word[CK_OW] + 3) / 4) : out->outputs / out->channels * s->word[CK_KH];
	out->code_bytes = s->code_bytes;
	out->decoded_bytes = s->image_bytes;
	if (s->code) out->code = cop_coded_runs(s->code) ? COP_CODE_ADAPTIVE : COP_CODE_TABLES;
	out->parts = s->parts;
	tell_form(out, e->g, s);
	return true;
}
