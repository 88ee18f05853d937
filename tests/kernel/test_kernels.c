/* SPDX-License-Identifier: Apache-2.0
 *
 * Every kernel against the portable one, on every sample of its op: same inputs, results equal to 1e-5 of the
 * largest. And every kernel that splits gives the same bits in 1, 2, 3 and 5 parts. Operands that lie right behind the results
 * stay as they are.
 */
#include "help.h"

enum { MAX_BUF = COP_MAX_BUF, SLACK = 64 };

/* The text of the fast int8 kernels once more, in plain C, as wide as AVX-512 and with its dot products of bytes (QPLAIN in
 * kernel/qvec/qvec.h): few machines have those instructions, so all but them is tested on every machine. */
size_t cop_never_ahead(const int32_t *k); /* plan/ahead.c */
#define N(x) cop_##x##_plain
#define P(base) void N(base)(const cop_call *c);
#define B(base) bool N(base)(const int32_t *k);
#define S(base) size_t N(base)(const int32_t *k);
#define T(base) int64_t N(base)(const int32_t *k, const void *w);
#define V(opname, ty, base, ...) void N(base)(const cop_call *c);
#include "kernel/qvec/qvec.def"
#include "kernel/qvec/qsparse.def"
#include "kernel/qvec/q24.def"
#include "kernel/qvec/bits.def"
#undef N
#define N(x) cop_##x##_amxplain /* the tiles of bfloat16, too (AMX_PLAIN in kernel/amx/amx.h) */
#include "kernel/amx/amx.def"
#undef N
#undef T
#undef P
#undef B
#undef S
#undef V
#define N(x) cop_##x##_plain
#define P(base)
#define B(base)
#define S(base)
#define T(base)
#define V(opname, ty, base, ...) {.op = #opname, .types = ty, .fn = N(base), .symbol = "plain " #base, .source = __VA_ARGS__},
static const cop_kernel plain_kernels[] = {
#include "kernel/qvec/qvec.def"
#include "kernel/qvec/qsparse.def"
#include "kernel/qvec/q24.def"
#include "kernel/qvec/bits.def"
#undef N
#define N(x) cop_##x##_amxplain
#include "kernel/amx/amx.def"
};

/* Kernels that round what they multiply: they are given what bfloat16 can hold, whose products are exact. */
static bool rounds(const cop_kernel *k) { return !strncmp(k->source, "amx/", 4); }

typedef struct bufs { void *p[MAX_BUF]; size_t bytes[MAX_BUF]; int n, n_out; } bufs;

static void *room(size_t bytes) { return aligned_alloc(64, (bytes + 2 * SLACK + 63) / 64 * 64); }

static cop_vid value_at(const cop_graph *g, cop_nid n, int i)
{
	int n_out = cop__op(g, n)->n_out;
	return i < n_out ? g->node[n].out[i] : g->node[n].in[i - n_out];
}

/* What is no constant holds: anything, or that and weights of which three of four are zero, by chance, or of 16 or 8 different values a row, or two of each four are zero; bytes: the least,
 * the least and the largest in turns that only chance orders, or the least and weights of 127 or -127. */
typedef enum content { ANY, SPARSE, SHARED, EIGHT, TWO_OF_FOUR, LEAST, ENDS, SYMMETRIC, CONTENTS } content;

static void fill_bytes(int8_t *p, size_t n, content how, bool weight, uint32_t stream)
{
	for (size_t i = 0; i < n; i++) {
		if (how == SHARED || how == EIGHT) {
			p[i] = (int8_t)(cop__rand(2, stream, i) % (how == SHARED ? 16 : 8) * 17 - 128);
			continue;
		}
		bool low = how == LEAST || cop__rand(2, stream, i) % 2;
		p[i] = how == SYMMETRIC ? !weight ? -128 : low ? -127 : 127 : low ? -128 : 127;
	}
}

/* Each row has values of its own. */
static void fill_shared(float *w, size_t n, size_t cols, uint32_t values, uint32_t stream)
{
	for (size_t i = 0; i < n; i++) w[i] = 0.125f * (float)(cop__rand(2, stream, i) % values) - 0.8f + 0.01f * (float)(i / cols);
}

static void fill_zeros(char *p, size_t n, size_t size, uint32_t stream)
{
	for (size_t i = 0; i + size <= n; i += size)
		if (cop__rand(3, stream, i) % 4) memset(p + i, 0, size);
}

static void fill_fours(char *p, size_t n, uint32_t stream)
{
	for (size_t i = 0; i < n; i += 4) {
		uint32_t one = (uint32_t)(cop__rand(3, stream, i) % 4), other = (one + 1 + (uint32_t)(cop__rand(3, stream, i + 1) % 3)) % 4;
		for (size_t j = 0; j < 4 && i + j < n; j++)
			if (j == one || j == other) p[i + j] = 0;
	}
}

/* Fresh buffers; results start as rubbish, except that an update writes over the value it names. */
static bufs make(const cop_graph *g, cop_nid n, content how)
{
	bufs b = {.n = cop__op(g, n)->n_out + g->node[n].n_in, .n_out = cop__op(g, n)->n_out};

	for (int i = 0; i < b.n; i++) {
		cop_vid v = value_at(g, n, i);
		if (!v) continue;
		b.bytes[i] = cop_type_bytes(cop__t(g, v));
		b.p[i] = room(b.bytes[i]);
		memset(b.p[i], 0x5a, b.bytes[i] + SLACK);
		if (i >= b.n_out) fill_value(g, v, b.p[i], v);
		if (how == SPARSE && i == b.n_out + 1) fill_zeros(b.p[i], b.bytes[i], cop__t(g, v)->dtype == COP_F32 ? 4 : 1, v);
		if (how == TWO_OF_FOUR && i == b.n_out + 1) fill_fours(b.p[i], b.bytes[i], v);
		if ((how == SHARED || how == EIGHT) && i == b.n_out + 1 && cop__t(g, v)->dtype == COP_F32)
			fill_shared(b.p[i], b.bytes[i] / 4, b.bytes[i] / 4 / (size_t)cop__t(g, v)->dim[0], how == SHARED ? 16 : 8, v);
		if ((how == SHARED || how == EIGHT || how > TWO_OF_FOUR) && i >= b.n_out && cop__t(g, v)->dtype == COP_I8 && !g->value[v].data) fill_bytes(b.p[i], b.bytes[i], how, i > b.n_out, v);
	}
	for (int i = 0; i < b.n_out; i++)
		for (int j = b.n_out; j < b.n; j++)
			if (b.p[i] && g->value[value_at(g, n, i)].alias && g->value[value_at(g, n, i)].alias == value_at(g, n, j)) free(b.p[i]), b.p[i] = b.p[j];
	return b;
}

static void to_bf16(const cop_graph *g, cop_nid n, bufs *b)
{
	for (int i = b->n_out; i < b->n; i++) {
		cop_vid v = value_at(g, n, i);
		uint32_t *word = b->p[i];
		for (size_t j = 0; v && cop__t(g, v)->dtype == COP_F32 && j < b->bytes[i] / 4; j++) word[j] &= 0xffff0000u;
	}
}

static void release(bufs *b)
{
	for (int i = 0; i < b->n; i++) {
		for (int j = i + 1; j < b->n; j++)
			if (b->p[j] == b->p[i]) b->p[j] = NULL;
		free(b->p[i]);
	}
}

static void call(const cop_kernel *k, const int32_t *words, bufs *b, int parts)
{
	int32_t word[COP_MAX_WORDS];

	memcpy(word, words, sizeof word);
	if (k->steps) word[COP_STEPS] = (int32_t)k->steps(word, b->p[b->n_out + k->pack_in]);
	size_t work = k->work ? k->work(word) : 0, pack = k->pack ? k->pack_bytes(word) : 0;
	char *w = room(work), *p = room(pack);
	int n = k->split ? parts : 1;

	for (int i = 0; k->pack && i < n; i++) k->pack(&(cop_call){b->p, word, p, NULL, i, n});
	for (int i = 0; i < n; i++) {
		memset(w, 0x77, work); /* nothing may be carried over in scratch */
		k->fn(&(cop_call){b->p, word, w, p, i, n});
	}
	free(w);
	free(p);
}

/* Integers that are rounded from sums of floats: another order of the sum may move one in a thousand, by one. */
static bool rounded_alike(const cop_kernel *k, const int8_t *got, const int8_t *want, size_t n)
{
	size_t moved = 0;

	for (size_t j = 0; j < n; j++) {
		if (abs(got[j] - want[j]) > 1) return false;
		moved += got[j] != want[j];
	}
	return !strcmp(k->op, "qconv_step") && moved <= n / 1000;
}

static void compare(const cop_graph *g, cop_nid n, const cop_kernel *k, int which, const bufs *got, const bufs *want, double slack, const char *what)
{
	for (int i = 0; i < got->n_out; i++) {
		double scale = 1e-6, worst = 0;
		size_t count = got->bytes[i] / 4;
		if (!got->p[i]) continue;
		if (cop__t(g, value_at(g, n, i))->dtype != COP_F32 || slack <= 0) {
			if (memcmp(got->p[i], want->p[i], got->bytes[i]) && !(slack > 0 && rounded_alike(k, got->p[i], want->p[i], got->bytes[i]))) fail_msg("%s on %s, sample %d: result %d differs, %s", k->symbol, k->op, which, i, what);
			continue;
		}
		for (size_t j = 0; j < count; j++) scale = fmax(scale, fabs((double)((float *)want->p[i])[j]));
		for (size_t j = 0; j < count; j++) {
			double d = fabs((double)((float *)want->p[i])[j] - (double)((float *)got->p[i])[j]);
			worst = d <= worst ? worst : d; /* a NaN sticks */
		}
		if (!(worst <= slack * scale)) fail_msg("%s on %s, sample %d: result %d off by %g of %g, %s", k->symbol, k->op, which, i, worst, scale, what);
	}
}

static bool slack_kept(const bufs *b)
{
	for (int i = 0; i < b->n_out; i++)
		for (int j = 0; b->p[i] && j < SLACK; j++)
			if (((unsigned char *)b->p[i])[b->bytes[i] + (size_t)j] != 0x5a) return false;
	return true;
}

/* All buffers side by side, the results first: no byte of an operand may change, as others may read it. */
static void check_neighbours(const cop_graph *g, cop_nid n, const cop_kernel *k, const int32_t *word, int which)
{
	bufs apart = make(g, n, ANY), near_ = apart;
	size_t whole = k->isa & COP_ISA_DSP ? 4 : 64, size = 0;

	for (int i = 0; i < apart.n; i++) size += (apart.bytes[i] + whole) & ~(whole - 1);
	char *block = room(size), *at = block;
	for (int i = 0; i < apart.n; i++) {
		if (!apart.p[i]) continue;
		near_.p[i] = memcpy(at, apart.p[i], apart.bytes[i]);
		at += (apart.bytes[i] + whole - 1) & ~(whole - 1);
	}
	if (!k->steps || k->steps(word, near_.p[near_.n_out + k->pack_in]) >= 0) call(k, word, &near_, 1);
	for (int i = near_.n_out; i < near_.n; i++)
		if (near_.p[i] && memcmp(near_.p[i], apart.p[i], apart.bytes[i])) fail_msg("%s on %s, sample %d changes its operand %d", k->symbol, k->op, which, i - near_.n_out);
	release(&apart);
	free(block);
}

/* One inf of the first operand reaches as far in several parts as in one: whatever is read beside it for a product with 0 lies at the same place. */
static void check_inf(const cop_graph *g, cop_nid n, const cop_kernel *k, const int32_t *word, int which)
{
	enum { PLACES = 5 };

	for (size_t at = 0; at < PLACES; at++) {
		bufs one = make(g, n, ANY), more = make(g, n, ANY);
		const size_t count = one.bytes[one.n_out] / 4;
		((float *)one.p[one.n_out])[count * at / PLACES] = ((float *)more.p[more.n_out])[count * at / PLACES] = INFINITY;
		call(k, word, &one, 1);
		for (int parts = 2; parts <= 5; parts += parts == 3 ? 2 : 1) {
			call(k, word, &more, parts);
			for (size_t i = 0; i < one.bytes[0] / 4; i++)
				if (isfinite(((float *)one.p[0])[i]) != isfinite(((float *)more.p[0])[i]))
					fail_msg("%s on %s, sample %d: in %d parts an inf reaches as far as element %zu, or does not", k->symbol, k->op, which, parts, i);
		}
		release(&one), release(&more);
	}
}

/* What conv_dw made of the channels of a list has the bits that it has without one. */
static void check_list(const cop_kernel *k, const int32_t *word, const bufs *b, int which)
{
	int32_t all[COP_MAX_WORDS];
	const int32_t *list = b->p[3];
	const size_t row = (size_t)(word[CK_KH] * word[CK_KW] * word[CK_C] / word[CK_G]) * sizeof(float);
	bufs whole = *b;

	memcpy(all, word, sizeof all);
	all[CK_CAP] = 0;
	if (k->fits && !k->fits(all)) return;
	whole.p[0] = room((size_t)word[CK_O] * row);
	whole.p[3] = NULL;
	call(k, all, &whole, 1);
	for (int32_t j = 0; j < list[0]; j++)
		if (memcmp((char *)b->p[0] + (size_t)j * row, (char *)whole.p[0] + (size_t)list[1 + j] * row, row))
			fail_msg("%s, sample %d: channel %d of the list has other bits than without one", k->symbol, which, j);
	free(whole.p[0]);
}

static void check(const cop_graph *g, cop_nid n, const cop_kernel *ref, const cop_kernel *k, const int32_t *word, int which, content how)
{
	bufs a = make(g, n, how), b = make(g, n, how);

	if (rounds(k)) to_bf16(g, n, &a), to_bf16(g, n, &b);
	if (k->steps && k->steps(word, b.p[b.n_out + k->pack_in]) < 0) { /* not these weights */
		release(&a);
		release(&b);
		return;
	}
	call(ref, word, &a, 1);
	call(k, word, &b, 1);
	compare(g, n, k, which, &b, &a, 1e-5, "against the portable kernel");
	if (!slack_kept(&b)) fail_msg("%s on %s, sample %d writes past its result", k->symbol, k->op, which);
	if (!strcmp(k->op, "conv_dw") && word[CK_CAP]) check_list(k, word, &b, which);
	release(&a);
	for (int parts = 2; k->split && parts <= 5; parts += parts == 3 ? 2 : 1) {
		a = make(g, n, how);
		if (rounds(k)) to_bf16(g, n, &a);
		call(k, word, &a, parts);
		compare(g, n, k, which, &a, &b, 0, "in several parts");
		release(&a);
	}
	if (k->roomy) {
		int32_t other[COP_MAX_WORDS];
		memcpy(other, word, sizeof other);
		other[COP_ROOMY] = 1;
		a = make(g, n, how);
		call(k, other, &a, 1);
		compare(g, n, k, which, &a, &b, 0, "with more bytes of weights");
		release(&a);
	}
	release(&b);
	if (rounds(k)) check_inf(g, n, k, word, which);
	check_neighbours(g, n, k, word, which);
}

/* All rows that could run this node, not only the one that would be chosen. */
static int check_sample(cop_ctx *cx, const cop_op *op, int which, int *rows)
{
	int32_t word[COP_MAX_WORDS] = {0};
	cop_graph *g;
	uint32_t isa = cop__cpu_isa() | COP_ISA_DSP /* written out in C too */ | (cop__cpu_bf16(cx) ? 0 : COP_ISA_AMX);

	cop_error_clear(cx); /* of a processor without tiles */
	OK(cx, cop__graph_new(&g, cx, "sample"));
	cop_nid n = op->sample(g, which);
	OK(cx, cx->code);
	if (!n || (op->flags & COP_OP_VIEW)) return cop_graph_free(g), n != 0;
	want_all(g, n);
	if (op->words) op->words(g, n, word);
	const cop_kernel *ref = cop__select(g, n, word, 0);
	if (!ref) fail_msg("%s has no portable kernel", op->name);
	for (int i = 0; i < cop_n_kernels + LEN(plain_kernels); i++) {
		const cop_kernel *k = i < cop_n_kernels ? &cop_kernels[i] : &plain_kernels[i - cop_n_kernels];
		if (strcmp(k->op, op->name) || (k->isa & isa) != k->isa || (k->fits && !k->fits(word)) || !cop__types_fit(k->types, g, n)) continue;
		int contents = !strncmp(op->name, "qconv", 5) ? CONTENTS : !strcmp(op->name, "conv") || !strcmp(op->name, "fc") ? EIGHT + 1 : ANY + 1;
		for (content how = ANY; how < (content)contents; how++) check(g, n, ref, k, word, which, how);
		++*rows;
	}
	cop_graph_free(g);
	return 1;
}

static void every_kernel(void **state)
{
	(void)state;
	int rows = 0;
	for (int i = 1; i < COP_N_OP; i++) {
		cop_ctx *cx = new_ctx();
		if (!cop_ops[i]->sample) fail_msg("%s has no samples", cop_ops[i]->name);
		for (int which = 0; check_sample(cx, cop_ops[i], which, &rows); which++) {}
		cop_ctx_free(cx);
	}
	print_message("%d kernel runs\n", rows);
	assert_true(rows > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_kernel)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
