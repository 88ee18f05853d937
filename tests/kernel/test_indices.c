/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands that kernels use as indices hold anything: row lists, codes, indices, labels, positions. Every kernel that runs on this machine
 * stays inside its buffers (run it under the address sanitizer, too) and gives what the portable one gives.
 */
#include "help.h"

enum { MAX_BUF = COP_MAX_BUF, SLACK = 64, DRAWS = 40 };

/* The operands by operator. LIST: {count, index...}. */
typedef enum form { LIST, WORDS, BYTES } form;
static const struct { const char *op; int in; form form; } rows[] = {
	{"sgd", 4, LIST}, {"fc_dw", 2, LIST}, {"conv_dw", 2, LIST}, {"palette", 1, BYTES}, {"palette_grad", 1, BYTES}, {"gather", 1, WORDS},
	{"resample", 1, WORDS}, {"xent", 1, WORDS}, {"xent_grad", 1, WORDS}, {"maxpool_grad", 1, BYTES}, {"qlut", 0, BYTES}, {"adam", 3, WORDS},
	{"count", 0, WORDS}, {"dropout", 1, WORDS},
};

typedef struct bufs { void *p[MAX_BUF]; size_t bytes[MAX_BUF]; int n, n_out; } bufs;

static int32_t hostile(uint32_t draw, uint64_t j)
{
	static const int32_t worst[] = {INT32_MIN, INT32_MAX, -1, 0, 1, 2, 3, 1 << 30, -7, INT32_MIN + 1, 5, 1000};
	return worst[cop__rand(7, draw, j) % LEN(worst)];
}

/* A third of the draws has a count that fits, and a third indices that do: one fault at a time, too. */
static void fill(int32_t *p, int64_t n, form how, uint32_t draw)
{
	if (how == BYTES)
		for (int64_t j = 0; j < n; j++) ((uint8_t *)p)[j] = (uint8_t)cop__rand(8, draw, (uint64_t)j);
	else
		for (int64_t j = 0; j < n; j++) p[j] = how == LIST && draw % 3 == 2 ? 0 : hostile(draw, (uint64_t)j);
	if (how == LIST && draw % 3 == 1) p[0] = (int32_t)n - 1;
	if (how == LIST && draw % 3 == 2) p[0] = hostile(draw, 0);
}

static bufs make(const cop_graph *g, cop_nid n, int in, form how, uint32_t draw)
{
	bufs b = {.n = cop__op(g, n)->n_out + g->node[n].n_in, .n_out = cop__op(g, n)->n_out};

	for (int i = 0; i < b.n; i++) {
		cop_vid v = i < b.n_out ? g->node[n].out[i] : g->node[n].in[i - b.n_out];
		if (!v) continue;
		b.bytes[i] = cop_type_bytes(cop__t(g, v));
		b.p[i] = aligned_alloc(64, (b.bytes[i] + SLACK + 63) / 64 * 64);
		memset(b.p[i], 0x5a, b.bytes[i] + SLACK);
		if (i >= b.n_out) fill_value(g, v, b.p[i], v);
		if (i == b.n_out + in) fill(b.p[i], cop_type_count(cop__t(g, v)), how, draw);
	}
	for (int i = 0; i < b.n_out; i++)
		for (int j = b.n_out; j < b.n; j++)
			if (b.p[i] && g->value[g->node[n].out[i]].alias == g->node[n].in[j - b.n_out]) free(b.p[i]), b.p[i] = b.p[j];
	return b;
}

static void release(bufs *b)
{
	for (int i = 0; i < b->n; i++) {
		for (int j = i + 1; j < b->n; j++)
			if (b->p[j] == b->p[i]) b->p[j] = NULL;
		free(b->p[i]);
	}
}

static void call(const cop_kernel *k, const int32_t *word, const bufs *b, int parts)
{
	void *work = aligned_alloc(64, ((k->work ? k->work(word) : 0) + 64 + 63) / 64 * 64), *pack = aligned_alloc(64, ((k->pack ? k->pack_bytes(word) : 0) + 127) / 64 * 64);

	if (k->pack) k->pack(&(cop_call){b->p, word, pack, NULL, 0, 1});
	for (int i = 0; i < (k->split ? parts : 1); i++) k->fn(&(cop_call){b->p, word, work, pack, i, k->split ? parts : 1});
	free(work);
	free(pack);
}

static void compare(const bufs *got, const bufs *want, const cop_kernel *k, bool reals)
{
	for (int i = 0; i < got->n_out; i++) {
		if (!got->p[i]) continue;
		for (size_t j = 0; j < SLACK; j++)
			if (((uint8_t *)got->p[i])[got->bytes[i] + j] != 0x5a) fail_msg("%s writes behind its result", k->symbol);
		for (size_t j = 0; reals && j < got->bytes[i] / 4; j++) {
			float a = ((float *)got->p[i])[j], b = ((float *)want->p[i])[j];
			if (!(fabsf(a - b) <= 1e-4f * fmaxf(1, fabsf(b))) && !(isnan(a) && isnan(b)) && memcmp(&a, &b, 4)) fail_msg("%s: %g, the portable kernel gives %g", k->symbol, (double)a, (double)b);
		}
		if (!reals && memcmp(got->p[i], want->p[i], got->bytes[i])) fail_msg("%s: other numbers than the portable kernel's", k->symbol);
	}
}

static void check(const cop_graph *g, cop_nid n, const cop_kernel *ref, const cop_kernel *k, const int32_t *word, int row)
{
	for (uint32_t draw = 0; draw < DRAWS; draw++) {
		bufs a = make(g, n, rows[row].in, rows[row].form, draw), b = make(g, n, rows[row].in, rows[row].form, draw), c = make(g, n, rows[row].in, rows[row].form, draw);
		call(ref, word, &a, 1);
		call(k, word, &b, 1);
		compare(&b, &a, k, cop__outt(g, n, 0)->dtype == COP_F32);
		call(k, word, &c, 3);
		release(&a);
		release(&b);
		release(&c);
	}
}

static int check_op(cop_ctx *cx, int row)
{
	const cop_op *op = cop_ops[cop__op_find(rows[row].op, strlen(rows[row].op))];
	int32_t word[COP_MAX_WORDS];
	cop_graph *g;
	cop_nid n = 1;
	int runs = 0;

	for (int which = 0; n; which++) {
		OK(cx, cop__graph_new(&g, cx, "sample"));
		n = op->sample(g, which);
		OK(cx, cx->code);
		if (n) want_all(g, n);
		if (n && cop__arg(g, n, rows[row].in)) {
			if (op->words) op->words(g, n, word);
			const cop_kernel *ref = cop__select(g, n, word, 0);
			for (int i = 0; i < cop_n_kernels; i++) {
				const cop_kernel *k = &cop_kernels[i];
				if (strcmp(k->op, op->name) || (k->isa & cop__cpu_isa()) != k->isa || (k->fits && !k->fits(word)) || !cop__types_fit(k->types, g, n)) continue;
				check(g, n, ref, k, word, row);
				runs++;
			}
		}
		cop_graph_free(g);
	}
	return runs;
}

static void every_index(void **state)
{
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int i = 0; i < LEN(rows); i++)
		if (!check_op(cx, i)) fail_msg("%s: no kernel was run", rows[i].op);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_index)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
