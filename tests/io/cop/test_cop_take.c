/* SPDX-License-Identifier: Apache-2.0
 *
 * A .cop file that is read from a path: its weights stay in the bytes that were read, where the file has them as they
 * are. They are the same as when they are copied, lie at multiples of 64 bytes with 64 more to read behind them, and
 * damage is found as before.
 */
#include "help.h"
#include "enc/enc.h"
#include "io/cop/cop.h"

static int64_t at, fail_at; /* allocations so far; the one that fails; 0: none */
static size_t now, peak;

static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud;
	if (nsize && ++at == fail_at) return NULL;
	now += nsize - osize;
	if (now > peak) peak = now;
	if (nsize) return realloc(p, nsize);
	free(p);
	return NULL;
}

static cop_ctx *counting(void)
{
	const cop_alloc a = {counted, NULL};
	cop_ctx *cx;

	now = peak = 0;
	fail_at = 0;
	assert_int_equal(cop_ctx_new(&cx, &a), COP_OK);
	return cx;
}

static void all_given_back(cop_ctx *cx)
{
	cop_ctx_free(cx);
	assert_int_equal(now, 0);
}

/* A weight of n numbers, of `levels` different ones; 0: all differ. */
static void add(cop_graph *g, const char *name, int32_t n, uint32_t levels)
{
	cop_type t = cop__type(COP_F32, 1, &n);
	float *w = cop__own(g, cop__data(g, COP_PARAM, name, &t, NULL));

	for (int32_t i = 0; i < n; i++) w[i] = levels ? (float)(cop__rand(2, 3, (uint64_t)i) % levels) : cop__rand_unit(1, cop__hash_text(name), (uint64_t)i);
}

static void add_half(cop_graph *g, const char *name, int32_t n)
{
	cop_type t = cop__type(COP_F32, 1, &n);
	float *w = calloc((size_t)n, sizeof *w);
	void *blob;

	OK(g->cx, cop__encode(&blob, &t.enc_bytes, g->cx, COP_HALF, w, 1, n));
	t.enc = COP_HALF;
	assert_true(cop__data(g, COP_PARAM, name, &t, blob));
	cop__free(g->cx, blob);
	free(w);
}

static cop_graph *empty(cop_ctx *cx)
{
	cop_graph *g;
	cop_type t = cop__type(COP_F32, 1, DIMS(4));

	OK(cx, cop__graph_new(&g, cx, "net"));
	OK(cx, cop__output(g, cop__apply(g, OP_clip, &(cop_act_attr){0, 6}, VIDS(cop__input(g, "x", &t))), "y"));
	return g;
}

/* Large and small, coded and not, encoded: in any order. */
static cop_graph *mixed(cop_ctx *cx)
{
	cop_graph *g = empty(cx);

	add(g, "large", 5000, 0);
	add(g, "small", 100, 0);
	add(g, "coded", 3000, 4);
	add_half(g, "half", 4001);
	add(g, "odd", 2047, 0);
	add(g, "next", 1024, 0);
	return g;
}

/* So many, with so short names, that there is not room for each at a multiple of 64. */
static int how_many = 60;

static cop_graph *many(cop_ctx *cx)
{
	cop_graph *g = empty(cx);
	char name[16];

	for (int i = 0; i < how_many; i++) {
		snprintf(name, sizeof name, "%c%d", 'a' + i % 26, i);
		add(g, name, 1025, 0);
	}
	return g;
}

static cop_graph *coded(cop_ctx *cx)
{
	cop_graph *g = empty(cx);

	add(g, "much", 60000, 200);
	add(g, "raw", 2000, 0);
	return g;
}

/* The bytes of the file, in memory of the context's allocator. */
static void *file_of(size_t *size, cop_graph *(*make)(cop_ctx *cx), cop_ctx *cx)
{
	cop_graph *g = make(cx);
	cop_text t;

	cop__text_init(&t, cx);
	OK(cx, cop__model_write(&t, g, NULL, 0, COP_CODEC_AUTO));
	cop_graph_free(g);
	void *own = cop__alloc(cx, *size = t.len);
	memcpy(own, t.data, t.len);
	cop__text_free(&t);
	return own;
}

/* Returns how many weights stayed in the file's bytes. */
static int same(const cop_graph *want, const cop_graph *have, const char *bytes, size_t size)
{
	int stayed = 0;

	assert_int_equal(want->n_value, have->n_value);
	for (int32_t v = 1; v <= want->n_value; v++) {
		const cop_value *x = &want->value[v], *y = &have->value[v];
		assert_int_equal(!x->data, !y->data);
		if (!x->data) continue;
		size_t n = cop_type_bytes(&x->type), off = (size_t)((const char *)y->data - bytes);
		if (memcmp(x->data, y->data, n)) fail_msg("'%s' has other contents", x->name);
		if (!y->held->whole) continue;
		stayed++;
		assert_int_equal((uintptr_t)y->data % 64, 0);
		assert_true(off < size && off + n + 64 <= size);
	}
	return stayed;
}

static void stay(void **state)
{
	static const struct { cop_graph *(*make)(cop_ctx *cx); int least, most; } row[] = {{mixed, 3, 4}, {many, 50, 59}, {coded, 0, 0}};
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		cop_ctx *cx = counting();
		size_t size;
		char *file = file_of(&size, row[i].make, cx);
		cop_graph *copied, *taken;
		OK(cx, cop__model_read(&copied, cx, "f", file, size, NULL, 0, NULL));
		peak = now;
		size_t before = now;
		OK(cx, cop__model_take(&taken, cx, "f", file, size));
		if (row[i].most) assert_true(peak - before < 60000 + (row[i].make == many ? 60 * 4500 : 0));
		else assert_true(now - before < 4 * 62000 + 20000 - size); /* the file is gone */
		int stayed = same(copied, taken, file, size);
		if (stayed < row[i].least || stayed > row[i].most) fail_msg("row %d: %d weights stayed", i, stayed);
		for (int32_t v = 1; v <= taken->n_value; v++) { /* what is written into one is in no other */
			if (!taken->value[v].data) continue;
			memset(cop__own(taken, (cop_vid)v), v, cop_type_bytes(cop__t(taken, (cop_vid)v)));
		}
		for (int32_t v = 1; v <= taken->n_value; v++)
			for (size_t b = 0; taken->value[v].data && b < cop_type_bytes(cop__t(taken, (cop_vid)v)); b++) assert_int_equal(((const char *)taken->value[v].data)[b], (char)v);
		cop_graph_free(copied);
		cop_graph_free(taken);
		all_given_back(cx);
	}
}

/* However many there are: at some number the room ends where the file does. */
static void to_the_end(void **state)
{
	(void)state;
	for (how_many = 1; how_many < 60; how_many++) {
		cop_ctx *cx = counting();
		size_t size;
		char *file = file_of(&size, many, cx);
		cop_graph *want, *g;
		OK(cx, cop__model_read(&want, cx, "f", file, size, NULL, 0, NULL));
		OK(cx, cop__model_take(&g, cx, "f", file, size));
		same(want, g, file, size);
		cop_graph_free(want);
		cop_graph_free(g);
		all_given_back(cx);
	}
}

/* One byte other, or the end missing: the same sentence, whichever way it is read. */
static void damage(void **state)
{
	cop_ctx *cx = counting();
	size_t size;
	char *file = file_of(&size, mixed, cx), said[400];
	cop_graph *g;
	(void)state;

	for (size_t i = 0; i < 2 * size; i += i < 600 ? 1 : 97) {
		size_t n = i < size ? i : size;
		char *a = cop__alloc(cx, size + 1);
		memcpy(a, file, size);
		if (i >= size) a[i - size] ^= 0x41;
		cop_status st = cop__model_read(&g, cx, "f", a, n, NULL, 0, NULL);
		if (!st) fail_msg("damage %zu: was read", i);
		snprintf(said, sizeof said, "%s", cop_error_text(cx));
		cop_error_clear(cx);
		if (cop__model_take(&g, cx, "f", a, n) != st || g || strcmp(said, cop_error_text(cx))) fail_msg("damage %zu: '%s' and '%s'", i, said, cop_error_text(cx));
		cop_error_clear(cx);
	}
	cop__free(cx, file);
	all_given_back(cx);
}

static void no_memory(void **state)
{
	static cop_graph *(*const make[])(cop_ctx *cx) = {mixed, coded};
	(void)state;

	for (int m = 0; m < LEN(make); m++) {
		cop_status st = COP_NOMEM;
		for (int64_t n = 1; st; n++) {
			cop_ctx *cx = counting();
			size_t size;
			char *file = file_of(&size, make[m], cx);
			cop_graph *g;
			at = 0;
			fail_at = n;
			st = cop__model_take(&g, cx, "f", file, size);
			assert_true(st ? st == COP_NOMEM && !g : n > 8);
			fail_at = 0;
			cop_graph_free(g);
			all_given_back(cx);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(stay), cmocka_unit_test(to_the_end), cmocka_unit_test(damage), cmocka_unit_test(no_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
