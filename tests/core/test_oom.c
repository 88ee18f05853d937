/* SPDX-License-Identifier: Apache-2.0
 *
 * test_oom - no memory at the n-th allocation, for every n until the whole way from a name to C text succeeds. Each
 * way then answers COP_NOMEM with a sentence, nothing crashes, and every piece is given back.
 */
#include "help.h"

#include <unistd.h>

static int64_t at, fail_at, held; /* allocations so far; the one that fails; pieces not given back */

static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	(void)ud, (void)osize;
	if (!nsize) {
		held -= p != NULL;
		free(p);
		return NULL;
	}
	if (++at == fail_at) return NULL;
	void *q = realloc(p, nsize);
	held += q && !p;
	return q;
}

/* ---- a data set that needs no memory ---- */

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud;
	for (int j = 0; j < 16; j++) x[j] = cop__rand_unit(7, (uint32_t)i, (uint64_t)j);
	x[i % 3] += 1;
	*label = i % 3;
	return COP_OK;
}

static cop_dataset points = {.name = "points", .x = {.dtype = COP_F32, .rank = 3, .dim = {4, 4, 1}, .q.axis = -1}, .count = 9, .classes = 3, .get = sample};

/* ---- what is done with little memory ---- */

static char path[64];
static cop_status forget(void *ud, const void *bytes, size_t size)
{
	(void)bytes;
	*(size_t *)ud += size;
	return COP_OK;
}

static cop_status forget_file(void *ud, const char *name, const void *bytes, size_t size)
{
	(void)name;
	return forget(ud, bytes, size);
}

static cop_status build(cop_graph **g, cop_ctx *cx)
{
	static const char text[] =
		"graph small\n"
		"input x f32[1,4,4,1]\n"
		"param c.w f32[4,3,3,1]\n"
		"param c.bn.gamma f32[4]\nparam c.bn.beta f32[4]\n"
		"state c.bn.mean f32[4] of=c.bn.gamma\nstate c.bn.var f32[4] of=c.bn.gamma\n"
		"param f.w f32[3,64]\nparam f.b f32[3]\n"
		"%1 = conv x c.w _ sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\n"
		"%2 = bn %1 c.bn.gamma c.bn.beta c.bn.mean c.bn.var eps=1e-05 momentum=0.1\n"
		"%3 = clip %2 lo=0\n"
		"%4 = reshape %3 rank=2 dim=0,-1\n"
		"y = fc %4 f.w f.b\n"
		"output y\n";

	return cop_graph_parse(g, cx, text, sizeof text - 1);
}

static cop_status zoo(cop_ctx *cx)
{
	cop_graph *g;
	cop_zoo_args a = {.batch = 2, .seed = 1, .classes = 3, .height = 4, .width = 4, .channels = 1};
	cop_status st = cop_zoo_build(&g, cx, "mlp-16x5x3", &a);
	if (!st) cop_graph_free(g);
	return st;
}

static cop_status text(cop_ctx *cx)
{
	cop_graph *g;
	size_t bytes = 0;

	COP_TRY(build(&g, cx));
	cop_status st = cop_graph_print(g, forget, &bytes);
	if (!st) st = cop_graph_verify(g);
	cop_graph_free(g);
	return st;
}

static cop_status step(cop_ctx *cx)
{
	cop_graph *g, *train = NULL;
	cop_plan *plan = NULL;
	cop_session *s = NULL;
	cop_target t;

	COP_TRY(build(&g, cx));
	cop_status st = cop_graph_train(&train, g, "loss=xent update=adam clip=1");
	if (!st) st = cop_target_find(&t, cx, "host");
	if (!st) st = cop_plan_build(&plan, &train, 1, &t);
	if (!st) st = cop_session_new(&s, plan, 2);
	if (!st) st = cop_session_run(s, 0);
	if (!st) st = cop_session_pull(s, g);
	cop_session_free(s);
	cop_plan_free(plan);
	cop_graph_free(train);
	cop_graph_free(g);
	return st;
}

static cop_status passes(cop_ctx *cx)
{
	cop_graph *g;

	COP_TRY(build(&g, cx));
	cop_status st = cop_graph_apply(&g, "batch:n=2 to_infer fold_bn fuse dce");
	cop_graph_free(g);
	return st;
}

/* Weights that graphs share, written in one of them. */
static cop_status shared(cop_ctx *cx)
{
	cop_graph *g, *line = NULL, *train = NULL;
	cop_zoo_args z = {.batch = 1, .seed = 1, .classes = 3, .height = 4, .width = 4, .channels = 1};
	cop_tensor t;

	COP_TRY(cop_zoo_build(&g, cx, "mlp-16x5x3", &z));
	cop_status st = cop_graph_outline(&line, g);
	if (!st) st = cop_graph_train(&train, g, "update=adam");
	if (!st) st = cop_graph_edit(train, cop_graph_weight(train, 0), &t);
	if (!st) st = cop_graph_apply_in_place(&line, "to_infer fuse");
	if (!st) st = cop_graph_apply_in_place(&g, "batch:n=2 to_infer fold_bn fuse dce");
	cop_graph_free(train);
	cop_graph_free(line);
	cop_graph_free(g);
	return st;
}

static cop_status score(cop_ctx *cx)
{
	cop_graph *g;
	cop_score score;

	COP_TRY(build(&g, cx));
	cop_status st = cop_eval(&score, g, &points, 4, 1);
	cop_graph_free(g);
	return st;
}

static cop_status file(cop_ctx *cx)
{
	cop_graph *g, *h = NULL;
	cop_zoo_args z = {.batch = 1, .seed = 1, .classes = 3, .height = 4, .width = 4, .channels = 1};

	COP_TRY(cop_zoo_build(&g, cx, "mlp-16x5x3", &z));
	cop_status st = cop_model_save(g, path);
	if (!st) st = cop_model_load(&h, cx, path);
	if (!st) st = cop_weights_save(h, path);
	if (!st) st = cop_weights_load(h, path);
	cop_graph_free(h);
	cop_graph_free(g);
	return st;
}

static cop_status train(cop_ctx *cx)
{
	cop_graph *g;
	cop_train_args a = {.epochs = 1, .batch = 3, .lr = 0.1f, .seed = 1, .threads = 1, .checkpoint = path};

	COP_TRY(build(&g, cx));
	cop_status st = cop_train(g, &points, &points, &a);
	a.resume = true;
	if (!st) st = cop_train(g, &points, NULL, &a);
	cop_graph_free(g);
	return st;
}

static cop_status compress(cop_ctx *cx, const char *yaml)
{
	cop_graph *g;
	cop_zoo_args z = {.batch = 1, .seed = 1, .classes = 3, .height = 4, .width = 4, .channels = 1};
	cop_train_args a = {.epochs = 1, .batch = 3, .lr = 0.1f, .seed = 1, .threads = 1};
	size_t bytes = 0;

	COP_TRY(cop_zoo_build(&g, cx, "mlp-16x5x3", &z));
	cop_status st = cop_compress(&g, yaml, strlen(yaml), &points, &points, NULL, &a, NULL, forget, &bytes);
	cop_graph_free(g);
	return st;
}

static cop_status recipe(cop_ctx *cx)
{
	return compress(cx, "name: r\nstages:\n"
		"  - prune: {keep: 0.5, schedule: once, epochs: 1, may_cost: 100, must_gain: 0}\n"
		"  - share: {levels: 4, epochs: 1, may_cost: 100, must_gain: 0}\n"
		"  - encode: {may_cost: 100, must_gain: 0}\n");
}

/* Two orders. */
static cop_status search(cop_ctx *cx)
{
	return compress(cx, "order: search\nstages:\n"
		"  - prune: {keep: 0.5, schedule: once, train: no, may_cost: 100, must_gain: 0}\n"
		"  - share: {levels: 4, may_cost: 100, must_gain: 0}\n");
}

static cop_status emit(cop_ctx *cx)
{
	cop_graph *g;
	cop_target t;
	size_t bytes = 0;

	COP_TRY(build(&g, cx));
	cop_status st = cop_target_find(&t, cx, "cortex-m4");
	if (!st) st = cop_emit_c(g, &t, &(cop_emit_args){.name = "net", .train = true}, forget_file, &bytes);
	cop_graph_free(g);
	return st;
}

/* Maps, of integers in floats too, how alike they are, and their page. */
static cop_status explain(cop_ctx *cx)
{
	cop_graph *g;
	cop_explanation e = {0};
	cop_explained page = {.name = "a", .class_name = "b", .n = 1, .by = {{.network = "c", .maps = &e}}};

	COP_TRY(build(&g, cx));
	cop_status st = cop_quantize(&g, &points, &(cop_quantize_args){.threads = 1});
	if (!st) st = cop_explain(&e, g, &points, &(cop_explain_args){.output = -1, .random = 1, .threads = 1});
	if (!st) st = cop_map_alike(&page.alike[0], cx, e.map[0], e.map[2], e.h * e.w);
	if (!st) st = cop_report_explained_html(path, cx, &page, 1);
	cop_explanation_free(&e);
	cop_graph_free(g);
	return st;
}

/* A sparse and a dense layer, under the adaptive code. */
static cop_status code(cop_ctx *cx)
{
	static const char text[] =
		"graph coded\n"
		"input x i8[1,1,1,200]\n"
		"const f.w i8[12,1,1,200]\nconst f.b i32[12]\nconst f.m i32[12]\n"
		"const e.w i8[40,1,1,12]\nconst e.b i32[40]\nconst e.m i32[40]\n"
		"%1 = qconv x f.w f.b f.m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127\n"
		"y = qconv %1 e.w e.b e.m sh=1 sw=1 dh=1 dw=1 groups=1 qlo=-128 qhi=127\n"
		"output y\n";
	const cop_emit_args a = {.name = "net"};
	const char *const name[] = {"f.w", "e.w"};
	cop_graph *g;
	cop_tensor w;
	cop_target t;
	cop_coded is;
	size_t bytes = 0;

	COP_TRY(cop_graph_parse(&g, cx, text, sizeof text - 1));
	cop_status st = cop_target_find(&t, cx, "cortex-m4");
	for (int k = 0; !st && k < LEN(name); k++) {
		st = cop_graph_edit(g, name[k], &w);
		for (size_t i = 0; !st && i < cop_type_bytes(&w.type); i++) ((int8_t *)w.data)[i] = (int8_t)(i * i % (k ? 3 : 41) == 1);
	}
	if (!st) st = cop_graph_code(&g, &t, &(cop_code_args){.by = COP_CODE_ADAPTIVE}, &is);
	if (!st && is.layers != 2) fail_msg("%d layers are coded", is.layers);
	if (!st) st = cop_emit_c(g, &t, &a, forget_file, &bytes);
	cop_graph_free(g);
	return st;
}

/* stride: recipes allocate thousands of times. */
static const struct { const char *name; cop_status (*run)(cop_ctx *cx); int stride; const char *part; } ways[] = { /* part: what it needs of the optional ones */
	{"zoo", zoo, 1, NULL}, {"text", text, 1, NULL}, {"step", step, 1, NULL}, {"passes", passes, 1, NULL}, {"shared", shared, 1, NULL}, {"eval", score, 1, NULL}, {"file", file, 1, "jansson"}, {"train", train, 1, NULL},
	{"emit", emit, 1, NULL}, {"code", code, 3, NULL}, {"explain", explain, 1, NULL}, {"recipe", recipe, 7, "yaml"}, {"search", search, 7, "yaml"},
};

static cop_status try_it(int w, int64_t n)
{
	cop_alloc alloc = {counted, NULL};
	cop_ctx *cx;

	at = held = 0;
	fail_at = n;
	cop_status st = cop_ctx_new(&cx, &alloc);
	if (st) return st;
	st = ways[w].run(cx);
	if (n && at >= n && !st) fail_msg("%s: allocation %lld failed and nobody noticed", ways[w].name, (long long)n);
	if (n && at >= n && st != COP_NOMEM) fail_msg("%s: allocation %lld failed: %s, %s", ways[w].name, (long long)n, cop_status_text(st), cop_error_text(cx));
	if (st && !*cop_error_text(cx)) fail_msg("%s: allocation %lld failed without a sentence", ways[w].name, (long long)n);
	if ((!n || at < n) && st) fail_msg("%s: %s", ways[w].name, cop_error_text(cx));
	cop_ctx_free(cx);
	if (held) fail_msg("%s: allocation %lld failed and %lld pieces were never freed", ways[w].name, (long long)n, (long long)held);
	return st;
}

static void every_allocation(void **state)
{
	(void)state;
	for (int w = 0; w < LEN(ways); w++) {
		if (ways[w].part && !has_part(ways[w].part)) {
			print_message("%-8s left out: no %s here\n", ways[w].name, ways[w].part);
			continue;
		}
		assert_int_equal(try_it(w, 0), COP_OK);
		int64_t all = at;
		assert_true(all > 5);
		unlink(path);
		for (int64_t n = 1; n <= all; n += ways[w].stride) {
			assert_int_equal(try_it(w, n), COP_NOMEM);
			unlink(path);
		}
		print_message("%-8s %lld allocations\n", ways[w].name, (long long)all);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};

	snprintf(path, sizeof path, "/tmp/coppice-oom-%d.cop", (int)getpid());
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
