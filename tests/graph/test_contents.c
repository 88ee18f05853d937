/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights that graphs share: nobody's change is seen by others, whatever made the copy; what nobody has any more is
 * given back; and a copy costs no second set of weights. Counted by the context's allocator, so that a figure is the
 * same on every machine.
 */
#include "pass/encoded.h"

/* ---- an allocator that counts ---- */

static size_t now, peak;

static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud;
	now -= osize;
	if (!nsize) return free(p), NULL;
	now += nsize;
	if (now > peak) peak = now;
	return realloc(p, nsize);
}

static cop_ctx *counting(void)
{
	const cop_alloc a = {counted, NULL};
	cop_ctx *cx;

	now = peak = 0;
	assert_int_equal(cop_ctx_new(&cx, &a), COP_OK);
	return cx;
}

static void all_given_back(cop_ctx *cx)
{
	cop_ctx_free(cx);
	assert_int_equal(now, 0);
}

/* ---- two graphs ---- */

static cop_graph *copy_of(const cop_graph *g)
{
	cop_graph *copy;
	OK(g->cx, cop__pass_copy(&copy, g));
	return copy;
}

static const float *floats(const cop_graph *g, const char *name) { return cop__floats(g, cop__find(g, name)); }

static void one_is_written(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *a = encoded_net(cx), *b = copy_of(a), *c = copy_of(b);
	const float *w = floats(a, "c1.w"), first = w[7];
	cop_tensor t;
	(void)state;

	assert_ptr_equal(floats(b, "c1.w"), w);
	assert_ptr_equal(floats(c, "c1.w"), w);
	OK(cx, cop_graph_edit(b, "c1.w", &t));
	((float *)t.data)[7] = 100;
	assert_ptr_equal(t.data, floats(b, "c1.w"));
	assert_ptr_equal(floats(a, "c1.w"), w);
	assert_true(floats(a, "c1.w")[7] == first && floats(c, "c1.w")[7] == first && floats(b, "c1.w")[7] == 100); /* lint: exact */
	assert_memory_equal(t.data, w, 4 * 7); /* the rest was copied */
	OK(cx, cop_graph_edit(b, "c1.w", &t)); /* its own by now: it stays where it is */
	assert_ptr_equal(t.data, floats(b, "c1.w"));
	assert_true(floats(b, "c1.w")[7] == 100); /* lint: exact */
	cop_graph_free(a);
	assert_true(floats(c, "c1.w")[7] == first); /* lint: exact */
	OK(cx, cop_graph_edit(c, "c1.w", &t)); /* the last that has it: no copy */
	assert_ptr_equal(t.data, w);
	cop_graph_free(b);
	cop_graph_free(c);
	all_given_back(cx);
}

/* Zeros that nobody stored, what has no contents, and what is encoded. */
static void edit_what(void **state)
{
	static const char text[] = "graph g\ninput x f32[1,4]\nparam w f32[3,4]\ny = fc x w\noutput y\n";
	cop_ctx *cx = counting();
	cop_graph *g, *e = encoded_net(cx);
	cop_tensor t;
	(void)state;

	OK(cx, cop_graph_parse(&g, cx, text, sizeof text - 1));
	OK(cx, cop_graph_tensor(g, "w", &t));
	assert_null(t.data);
	OK(cx, cop_graph_edit(g, "w", &t));
	for (int i = 0; i < 12; i++) assert_true(((float *)t.data)[i] == 0); /* lint: exact */
	assert_int_equal(cop_graph_edit(g, "x", &t), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "'x'"));
	cop_error_clear(cx);
	assert_int_equal(cop_graph_edit(g, "v", &t), COP_ARG);
	cop_error_clear(cx);
	encode(e, cop__find(e, "f1.w"), COP_HALF);
	assert_int_equal(cop_graph_edit(e, "f1.w", &t), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "'f1.w' is encoded (half)"));
	cop_graph_free(g);
	cop_graph_free(e);
	all_given_back(cx);
}

/* Only weights of reals with an axis can be encoded. */
static void encoded_what(void **state)
{
	static const struct { cop_role role; cop_dtype dtype; int32_t rank; bool can; } row[] = {
		{COP_CONST, COP_F32, 2, true}, {COP_PARAM, COP_F32, 2, true}, {COP_STATE, COP_F32, 2, false}, {COP_CONST, COP_I32, 2, false}, {COP_PARAM, COP_F32, 0, false}};
	cop_ctx *cx = counting();
	(void)state;

	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_type t = cop__type(row[i].dtype, row[i].rank, DIMS(1, 4));
		uint32_t bytes;
		void *blob;
		OK(cx, cop__encode(&blob, &bytes, cx, COP_SPARSE, (const float[]){0, 2, 0, 1}, 1, 4));
		t.enc = COP_SPARSE, t.enc_bytes = bytes;
		OK(cx, cop__graph_new(&g, cx, "one"));
		bool made = cop__data(g, row[i].role, "w", &t, blob) != 0;
		if (made != row[i].can) fail_msg("row %d: %s", i, made ? "taken" : cop_error_text(cx));
		if (!made) assert_non_null(strstr(cop_error_text(cx), "'w': is encoded (sparse)"));
		cop_error_clear(cx);
		cop__free(cx, blob);
		cop_graph_free(g);
	}
	all_given_back(cx);
}

/* Someone else's: neither shared, nor written, nor freed. */
static void borrowed(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *g = encoded_net(cx), *copy;
	float b[7] = {1, 2, 3, 4, 5, 6, 7};
	cop_vid v = cop__find(g, "f1.b");
	cop_tensor t;
	(void)state;

	cop__borrow(g, v, b);
	copy = copy_of(g);
	assert_ptr_equal(floats(g, "f1.b"), b);
	assert_ptr_not_equal(floats(copy, "f1.b"), b);
	assert_memory_equal(floats(copy, "f1.b"), b, sizeof b);
	OK(cx, cop_graph_edit(g, "f1.b", &t));
	assert_memory_equal(t.data, b, sizeof b);
	((float *)t.data)[0] = 100;
	assert_true(b[0] == 1 && floats(copy, "f1.b")[0] == 1); /* lint: exact */
	cop__borrow(g, v, b);
	OK(cx, cop_graph_apply_in_place(&g, "batch:n=1 to_infer fuse"));
	assert_true(b[0] == 1); /* lint: exact */
	cop_graph_free(g);
	cop_graph_free(copy);
	all_given_back(cx);
}

/* ---- every pass ---- */

/* The bytes of all weights, one after the other. */
static char *bytes_of(const cop_graph *g, size_t *size)
{
	char *all = malloc(1 << 20);

	*size = 0;
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (!g->value[v].data) continue;
		memcpy(all + *size, g->value[v].data, cop_type_bytes(cop__t(g, (cop_vid)v)));
		*size += cop_type_bytes(cop__t(g, (cop_vid)v));
		assert_true(*size < 1 << 19);
	}
	return all;
}

static void same_bytes(const cop_graph *g, const char *want, const char *what)
{
	size_t n;
	char *have = bytes_of(g, &n);

	if (memcmp(have, want, n)) fail_msg("%s: weights changed", what);
	free(have);
}

static void overwrite(cop_graph *g)
{
	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].data) memset(cop__own(g, (cop_vid)v), 0xa5, cop_type_bytes(cop__t(g, (cop_vid)v)));
}

/* A pass, all that it made overwritten: its input has the weights that it had. In place it makes the same; a copy of
 * the graph that it took has its weights still. */
static void one_pass(cop_ctx *cx, const cop_graph *g, const char *want, const char *spec, const char *what)
{
	cop_graph *made = copy_of(g), *given = copy_of(g), *other = copy_of(g);
	size_t n, m;

	cop_status st = cop_graph_apply(&made, spec);
	cop_error_clear(cx);
	overwrite(other);
	if (cop_graph_apply_in_place(&given, spec) != st) fail_msg("%s: in place it ends otherwise", what);
	cop_error_clear(cx);
	same_bytes(g, want, what);
	if (st) {
		assert_null(given);
		same_bytes(made, want, what); /* as it was */
	} else {
		char *a = bytes_of(made, &n), *b = bytes_of(given, &m);
		if (n != m || memcmp(a, b, n)) fail_msg("%s: in place it makes other weights", what);
		free(b);
		overwrite(made);
		same_bytes(given, a, what);
		overwrite(given);
		same_bytes(g, want, what);
		free(a);
	}
	cop_graph_free(made);
	cop_graph_free(given);
	cop_graph_free(other);
}

/* Alone, the graph given up is the only one that has the weights: they may be changed where they lie, and come out the same. */
static void alone(cop_ctx *cx, const cop_graph *g, const char *spec, const char *what)
{
	cop_graph *made = copy_of(g), *given = copy_of(g);
	size_t n, m;

	for (int32_t v = 1; v <= given->n_value; v++)
		if (given->value[v].data) assert_non_null(cop__own(given, (cop_vid)v));
	cop_status st = cop_graph_apply(&made, spec);
	if (cop_graph_apply_in_place(&given, spec) != st) fail_msg("%s: alone and in place it ends otherwise", what);
	cop_error_clear(cx);
	if (!st) {
		char *a = bytes_of(made, &n), *b = bytes_of(given, &m);
		if (n != m || memcmp(a, b, n)) fail_msg("%s: alone and in place it makes other weights", what);
		free(a);
		free(b);
	}
	cop_graph_free(made);
	cop_graph_free(given);
}

static void all_passes(cop_ctx *cx, const cop_graph *g, const char *encoding)
{
	static const char *const chains[] = {"to_infer fuse dce", "to_train fold_bn fuse", "fuse to_infer shrink", "batch:n=1 to_infer no_such_pass"};
	size_t n;
	char *want = bytes_of(g, &n), what[160];
	const char *pass;

	for (int i = 0; (pass = cop_pass_name(i, NULL)); i++) {
		const char *spec = spec_of(pass);
		snprintf(what, sizeof what, "%s of %s", spec, encoding);
		one_pass(cx, g, want, spec, what);
		alone(cx, g, spec, what);
	}
	for (int i = 0; i < LEN(chains); i++) {
		snprintf(what, sizeof what, "%s of %s", chains[i], encoding);
		one_pass(cx, g, want, chains[i], what);
		alone(cx, g, chains[i], what);
	}
	free(want);
}

static void passes_leave_weights(void **state)
{
	cop_ctx *cx = counting();
	(void)state;

	for (cop_enc e = 0; e < COP_N_ENC; e++) {
		static const char *const weights[] = {"c1.w", "c3.w", "f1.w"};
		for (int i = 0; i < LEN(weights); i++) {
			char what[64];
			cop_graph *g = encoded_net(cx);
			encode(g, cop__find(g, weights[i]), e);
			snprintf(what, sizeof what, "%s '%s'", cop__enc_text(e), weights[i]);
			all_passes(cx, g, what);
			cop_graph_free(g);
		}
	}
	all_given_back(cx);
}

/* ---- in place ---- */

/* Two convolutions before batch normalisations, their weights in two values with the same contents. */
static cop_graph *twins(cop_ctx *cx, bool same)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "twins"));
	cop_vid x = input(g, 4, DIMS(1, 6, 6, 2));
	x = bn(g, conv(g, x, "a", 2, 3, 1, 1, false), "n1");
	x = bn(g, conv(g, x, "b", 2, 3, 1, 1, false), "n2");
	OK(cx, cop__output(g, x, "y"));
	if (same) OK(cx, cop__share(g, cop__find(g, "b.w"), g, cop__find(g, "a.w")));
	else memcpy(cop__own(g, cop__find(g, "b.w")), floats(g, "a.w"), 4 * 2 * 9 * 2);
	return g;
}

static void in_place(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *g = encoded_net(cx), *other;
	const float *w = floats(g, "c1.w"), first = w[40];
	size_t n, m;
	(void)state;

	other = copy_of(g); /* shared: they move, and the other's stay */
	OK(cx, cop_graph_apply_in_place(&g, "to_infer"));
	assert_ptr_not_equal(floats(g, "c1.w"), w);
	assert_true(floats(other, "c1.w")[40] == first && floats(g, "c1.w")[40] != first); /* lint: exact */
	cop_graph_free(g);
	assert_ptr_equal(floats(other, "c1.w"), w);
	OK(cx, cop_graph_apply_in_place(&other, "batch:n=1 fuse to_infer")); /* nobody else's: where they lie, through three graphs */
	assert_ptr_equal(floats(other, "c1.w"), w);
	assert_true(w[40] != first); /* lint: exact */
	cop_graph_free(other);

	cop_graph *a = twins(cx, true), *b = twins(cx, false);
	OK(cx, cop_graph_apply_in_place(&a, "to_infer"));
	OK(cx, cop_graph_apply(&b, "to_infer"));
	char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
	assert_int_equal(n, m);
	assert_memory_equal(x, y, n);
	free(x);
	free(y);
	cop_graph_free(a);
	cop_graph_free(b);
	all_given_back(cx);
}

/* ---- plans and sessions ---- */

/* A plan has the weights that it was built for, whatever becomes of the graph's. */
static void plan_keeps(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *g = encoded_net(cx), *clean = encoded_net(cx);
	int64_t n;
	float *want = run_graph(cx, clean, 5, &n);
	cop_target t;
	cop_plan *p;
	cop_session *s;
	cop_tensor x, y;
	(void)state;

	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = 0;
	OK(cx, cop_plan_build(&p, &g, 1, &t));
	overwrite(g);
	OK(cx, cop_session_new(&s, p, 1));
	OK(cx, cop_session_io(s, 0, 0, false, &x));
	for (int run = 0; run < 2; run++) {
		for (int64_t j = 0; j < cop_type_count(&x.type); j++) ((float *)x.data)[j] = cop__rand_unit(5, 0, (uint64_t)j) * 2 - 1;
		OK(cx, cop_session_run(s, 0));
		OK(cx, cop_session_io(s, 0, 0, true, &y));
		assert_memory_equal(y.data, want, 4 * (size_t)n);
		overwrite(g);
		cop_session_reset(s); /* what it began with */
	}
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(g);
	cop_graph_free(clean);
	free(want);
	all_given_back(cx);
}

/* What a step of training writes comes back into the model alone; the session begins anew with what it began with. */
static void pull_and_reset(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *model = encoded_net(cx), *other = copy_of(model), *train;
	const float *w = floats(model, "f2.w"), first = w[3];
	cop_target t;
	cop_plan *p;
	cop_session *s;
	cop_tensor x;
	(void)state;

	OK(cx, cop_graph_train(&train, model, "loss=mse update=adam"));
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &train, 1, &t));
	OK(cx, cop_session_new(&s, p, 1));
	for (int32_t i = 0; !cop_session_io(s, 0, i, false, &x); i++)
		for (int64_t j = 0; x.type.dtype == COP_F32 && j < cop_type_count(&x.type); j++) ((float *)x.data)[j] = 0.25f;
	cop_error_clear(cx);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_pull(s, model));
	OK(cx, cop_session_pull(s, train));
	OK(cx, cop_session_pull(s, model)); /* its own by now */
	assert_true(floats(other, "f2.w")[3] == first && floats(model, "f2.w")[3] != first); /* lint: exact */
	cop_graph_free(other);
	cop_session_reset(s);
	OK(cx, cop_session_tensor(s, 0, "f2.w", &x));
	assert_true(((float *)x.data)[3] == first); /* lint: exact */
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(train);
	cop_graph_free(model);
	all_given_back(cx);
}

/* ---- outlines ---- */

static cop_status no_file(void *ud, const char *path, const void *bytes, size_t size) { (void)ud, (void)path, (void)bytes, (void)size; return COP_OK; }

static void refused(cop_ctx *cx, cop_status st)
{
	assert_int_equal(st, COP_ARG);
	if (!strstr(cop_error_text(cx), "is an outline")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
}

/* Planned as the network itself is, and never taken for it. */
static void outline(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *g = encoded_net(cx), *o, *copy;
	cop_target t;
	cop_plan *p, *q;
	cop_tensor w;
	cop_session *s;
	(void)state;

	OK(cx, cop_graph_edit(g, "c1.w", &w)); /* with zeros, the network itself would take a kernel for sparse weights */
	for (int64_t i = 0; i < cop_type_count(&w.type); i++) ((float *)w.data)[i] = 0.5f;
	OK(cx, cop_graph_outline(&o, g));
	assert_ptr_equal(floats(o, "c1.w"), floats(g, "c1.w"));
	OK(cx, cop_graph_apply(&o, "to_infer fuse"));
	OK(cx, cop_graph_apply(&g, "to_infer fuse"));
	assert_null(floats(o, "c1.w")); /* not computed */
	assert_ptr_equal(floats(o, "f2.w"), floats(g, "f2.w"));
	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &o, 1, &t));
	OK(cx, cop_plan_build(&q, &g, 1, &t));
	for (cop_role r = COP_TEMP; r <= COP_STATE; r++) assert_int_equal(cop_plan_bytes(p, r), cop_plan_bytes(q, r));
	assert_int_equal(cop_plan_live(p), cop_plan_live(q));
	refused(cx, cop_session_new(&s, p, 1));
	refused(cx, cop_emit_c(o, &t, &(cop_emit_args){0}, no_file, NULL));
	refused(cx, cop_model_save(o, "outline.cop.tmp"));
	refused(cx, cop_onnx_save(o, "outline.onnx.tmp"));
	refused(cx, cop_weights_save(o, "outline.safetensors.tmp"));
	refused(cx, cop_graph_apply(&o, "shrink"));
	copy = copy_of(o);
	refused(cx, cop_model_save(copy, "outline.cop.tmp"));
	cop_graph_free(copy);
	cop_plan_free(p);
	cop_plan_free(q);
	cop_graph_free(o);
	cop_graph_free(g);
	all_given_back(cx);
}

/* ---- how much memory ---- */

enum { WIDE = 512, WEIGHTS = 4 * (WIDE * 9 * 64 + 64 * WIDE) }; /* 1.3 MB: the rest is small to them */

static cop_graph *wide_net(cop_ctx *cx)
{
	cop_graph *g;

	OK(cx, cop__graph_new(&g, cx, "wide"));
	cop_vid x = input(g, 4, DIMS(1, 4, 4, 64));
	x = relu(g, bn(g, conv(g, x, "c1", WIDE, 3, 1, 1, false), "n1"));
	x = relu(g, bn(g, conv(g, x, "c2", 64, 1, 1, 1, false), "n2"));
	OK(cx, cop__output(g, x, "y"));
	return g;
}

static double times(size_t before) { return (double)(peak - before) / WEIGHTS; }

/* Beside the weights that are there already, in weights. */
static void costs(void **state)
{
	cop_ctx *cx = counting();
	cop_graph *g = wide_net(cx), *copy, *train;
	cop_figures f;
	cop_target t;
	cop_plan *p;
	size_t before = now;
	(void)state;

	assert_true((double)now < 1.1 * WEIGHTS);
	peak = now;
	copy = copy_of(g);
	assert_true(times(before) < 0.05);
	peak = now;
	OK(cx, cop_graph_train(&train, g, "loss=mse"));
	if (times(before) > 0.1) fail_msg("a training graph took %.2f times the weights", times(before));
	cop_graph_free(train);
	peak = now;
	OK(cx, cop_graph_apply(&copy, "batch:n=4 fuse dce"));
	OK(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.ram = t.flash = 0;
	OK(cx, cop_measure(&f, g, &t));
	assert_true(f.parameters > WEIGHTS / 4);
	OK(cx, cop_plan_build(&p, &copy, 1, &t));
	if (times(before) > 0.3) fail_msg("copying, measuring and planning took %.2f times the weights", times(before));
	cop_plan_free(p);
	cop_graph_free(copy);
	assert_int_equal(now, before);
	peak = now;
	OK(cx, cop_graph_apply_in_place(&g, "to_infer fuse dce"));
	if (times(before) > 0.05) fail_msg("to_infer in place took %.2f times the weights", times(before));
	cop_graph_free(g);
	all_given_back(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_is_written), cmocka_unit_test(encoded_what), cmocka_unit_test(edit_what),
		cmocka_unit_test(borrowed), cmocka_unit_test(passes_leave_weights), cmocka_unit_test(in_place),
		cmocka_unit_test(plan_keeps), cmocka_unit_test(pull_and_reset), cmocka_unit_test(outline), cmocka_unit_test(costs)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
