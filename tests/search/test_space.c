/* SPDX-License-Identifier: Apache-2.0
 *
 * What a search chooses from: what spaces hold, slices of shared weights by hand, running means taken anew, and what a design costs.
 */
#include "search/pictures.h"

/* ---- spaces ---- */

static bool within(const cop_among *p, int32_t v)
{
	for (int32_t i = 0; i < p->n; i++)
		if (p->at[i] == v) return true;
	return false;
}

/* What the text of a design says is what the row allows: kernels, depths, classes. */
static void check_text(const char *text, const cop_space *s, int32_t classes)
{
	int depth[COP_STAGES] = {0}, stage, block, k, n = 0, out = 0;

	for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL) {
		if (sscanf(at, "s%d.b%d.dw = depthwise %dx", &stage, &block, &k) == 3 ||
		        sscanf(at, "s%d.b%d.a = conv %*d %dx", &stage, &block, &k) == 3) {
			assert_true(stage >= 1 && stage <= s->n_stage && within(&s->kernel, k));
			assert_int_equal(block, ++depth[stage - 1]);
			n++;
		}
		if (sscanf(at, "fc %d", &out) == 1) assert_int_equal(out, classes);
	}
	assert_true(n && out);
	for (int i = 0; i < s->n_stage; i++) assert_true(within(&s->depth, depth[i]));
}

/* Each weight of a small design has a place in the largest one. */
static void check_part(const cop_graph *g, const cop_graph *largest)
{
	for (cop_vid v = 1; v <= (cop_vid)g->n_value; v++) {
		if (g->value[v].role != COP_PARAM && g->value[v].role != COP_STATE) continue;
		const cop_vid of = cop__find(largest, g->value[v].name);
		assert_true(of != 0);
		assert_int_equal(cop__t(g, v)->rank, cop__t(largest, of)->rank);
		for (int i = 0; i < cop__t(g, v)->rank; i++)
			assert_true(cop__t(g, v)->dim[i] <= cop__t(largest, of)->dim[i]);
	}
}

static cop_graph *read_design(cop_ctx *cx, const cop_design *d, const cop_type *x, int32_t classes, bool check)
{
	cop_graph *g;
	cop_text t;

	cop__text_init(&t, cx);
	cop__design_text(&t, d, x, classes);
	assert_false(t.status);
	if (check) check_text(t.data, cop__space(d->space), classes);
	OK(cx, cop_network_read(&g, cx, "design", t.data, t.len, 1));
	OK(cx, cop_graph_verify(g));
	cop__text_free(&t);
	return g;
}

static void spaces(void **state)
{
	static const struct {
		int32_t rank, dim[3], in[4];
	} shape[] = {{3, {32, 32, 3}, {32, 32, 3}}, {3, {49, 10, 1}, {49, 10, 1}}, {3, {1, 28, 28}, {28, 28, 1}},
	        {2, {64, 3}, {64, 3}}};
	cop_ctx *cx = new_ctx();

	(void)state;
	for (int row = 0; cop__space(row); row++)
		for (int k = 0; k < LEN(shape); k++)
			for (int32_t i = 0; i < 2 * cop__space(row)->scale.n; i++) {
				const cop_type x = cop__type(COP_F32, shape[k].rank, shape[k].dim);
				cop_design d = {.space = row, .scale = i / 2, .shrink = i % 2};
				cop__design_end(&d, true);
				cop_graph *largest = read_design(cx, &d, &x, 7, true);
				for (int n = 0; n < 3; n++) {
					if (n) cop__design_draw(&d, 1, 2, (uint64_t)n);
					else cop__design_end(&d, false);
					cop_graph *g = read_design(cx, &d, &x, 7, true);
					check_part(g, largest);
					const cop_type *in = cop__t(g, g->input[0]);
					assert_memory_equal(
					        in->dim + 1, shape[k].in, sizeof *in->dim * (size_t)shape[k].rank);
					cop_graph_free(g);
				}
				cop_graph_free(largest);
			}
	cop_ctx_free(cx);
}

/* Widths by hand: 24 at 75 percent of 50 percent is 9, to the multiple of 4: 8; 300 percent of it is 24. */
static void widths(void **state)
{
	static const char *const says[] = {"stem = conv 12 3x3 stride 2 norm relu\n",
	        "s1.b1.up = conv 36 1x1 norm relu6\ns1.b1.dw = depthwise 3x3 stride 1 norm relu6\ns1.b1.down = conv 12 "
		"1x1 norm\ns1.b1 = add stem s1.b1.down\n",
	        "s2.b1.up = conv 48 1x1 norm relu6\ns2.b1.dw = depthwise 7x7 stride 2 norm relu6\ns2.b1.down = conv 8 "
		"1x1 norm\n",
	        "s3.b1.up = conv 24 1x1 norm relu6\n"};
	const cop_type x = cop__type(COP_F32, 3, DIMS(32, 32, 3));
	cop_ctx *cx = new_ctx();
	cop_design d = {
	        .space = 0, .scale = 2, .shrink = 1}; /* inverted, 75 percent, the stem's stride twice as large */
	cop_text t;

	(void)state;
	cop__design_end(&d, false);
	d.gene[0] = 2;                   /* the first stage has all of its width: 16 * 0.75 = 12 */
	d.gene[COP_STAGE_GENES + 2] = 2; /* the second one's block: kernel 7 ... */
	d.gene[COP_STAGE_GENES + 3] = 1; /* ... and four times as wide within */
	cop__text_init(&t, cx);
	cop__design_text(&t, &d, &x, 10);
	for (int i = 0; i < LEN(says); i++)
		if (!strstr(t.data, says[i])) fail_msg("no '%s' in\n%s", says[i], t.data);
	cop__text_free(&t);
	cop_ctx_free(cx);
}

static void settled(void **state)
{
	cop_design a = {.space = 0}, b = {.space = 0};

	(void)state;
	cop__design_end(&a, false);
	b = a;
	b.gene[4] = 1; /* of a second block, which is not there at depth 1 */
	assert_false(cop__design_same(&a, &b));
	cop__design_settle(&b);
	assert_true(cop__design_same(&a, &b));
	b.gene[1] = b.gene[4] = 1;
	cop__design_settle(&b);
	assert_int_equal(b.gene[4], 1);
}

/* ---- slices ---- */

static void slices(void **state)
{
	float big[3 * 5 * 3 * 2], small[2 * 3 * 1 * 1], before[90];
	/* [3,5,3,2]: element (o, y, x, i) is 30 o + 6 y + 2 x + i. [2,3,1,1] of it: o 0..1, y 1..3, x 1, i 0 */
	static const float want[] = {8, 14, 20, 38, 44, 50};
	const cop_tensor b = {cop__type(COP_F32, 4, DIMS(3, 5, 3, 2)), big},
	                 s = {cop__type(COP_F32, 4, DIMS(2, 3, 1, 1)), small};

	(void)state;
	for (int i = 0; i < 90; i++) before[i] = big[i] = (float)i;
	cop__slice(&s, &b, true);
	assert_memory_equal(small, want, sizeof want);
	for (int i = 0; i < 6; i++) small[i] = (float)(-1 - i);
	cop__slice(&s, &b, false);
	for (int i = 0, k = 0; i < 90; i++) {
		if (k < 6 && before[i] == want[k]) assert_true(big[i] == (float)(-1 - k++));
		else assert_true(big[i] == before[i]);
	}
	/* of a matrix and of a vector the first ones */
	const cop_tensor m = {cop__type(COP_F32, 2, DIMS(4, 6)), before},
	                 n = {cop__type(COP_F32, 2, DIMS(2, 3)), small};
	static const float first[] = {0, 1, 2, 6, 7, 8};
	cop__slice(&n, &m, true);
	assert_memory_equal(small, first, sizeof first);
	const cop_tensor v = {cop__type(COP_F32, 1, DIMS(5)), before + 10}, w = {cop__type(COP_F32, 1, DIMS(3)), small};
	cop__slice(&w, &v, true);
	assert_memory_equal(small, before + 10, 3 * sizeof(float));
}

/* Running means become those of the samples, whatever they were: here all samples are (3, -1), which the network's
 * first layer sees. */
static cop_status same(void *ud, int32_t i, float *x, int32_t *label)
{
	(void)ud, (void)i;
	x[0] = 3, x[1] = -1;
	return *label = 0, COP_OK;
}

static void renorm(void **state)
{
	static const char text[] = "input 1 1 2\nn = norm\nmean\nfc 2\n";
	static const float mean[] = {3, -1}, var[] = {0, 0};
	cop_dataset d = {
	        .name = "same", .x = cop__type(COP_F32, 3, DIMS(1, 1, 2)), .count = 5, .classes = 2, .get = same};
	cop_ctx *cx = new_ctx();
	cop_train_args a = {.threads = 1};
	cop_search_args s = {0};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_searcher z = searcher(cx, &s, &a, &d, r);
	cop_graph *g;
	cop_tensor t;

	(void)state;
	OK(cx, cop_network_read(&g, cx, "net", text, strlen(text), 1));
	OK(cx, cop__renorm(g, &z));
	OK(cx, cop_graph_tensor(g, "n.bn.mean", &t));
	assert_memory_equal(t.data, mean, sizeof mean);
	OK(cx, cop_graph_tensor(g, "n.bn.var", &t));
	assert_memory_equal(t.data, var, sizeof var);
	cop_graph_free(g);
	free(r);
	cop_ctx_free(cx);
}

/* ---- prices ---- */

static cop_status dark(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;

	memset(x, 0, sizeof *x * (size_t)cop_type_count(&d->x));
	return *label = i % d->classes, COP_OK;
}

/* Multiply-accumulates by hand, of the smallest networks for 8x8x1 with 50 percent of 50 percent of the widths: the stem, each stage's first block
 * on 64, 64, 16 and 4 places, or half as many behind its stride, the last layer. */
enum {
	INVERTED = 64 * 9 * 4 + 64 * (4 * 12 + 9 * 12 + 12 * 4) + 64 * 4 * 12 + 16 * (9 * 12 + 12 * 8) + 16 * 8 * 24 + 4 * (9 * 24 + 24 * 12) +
	           4 * (12 * 36 + 9 * 36 + 36 * 16) + 16 * CLASSES,
	RESIDUAL = 64 * 9 * 4 + 64 * (4 * 4 + 4 * 4) + 16 * (4 * 4 + 4 * 8 + 4 * 8) + 4 * (8 * 8 + 8 * 16 + 8 * 16) + 16 * CLASSES
};

/* A price does not depend on what the samples are: on dark ones, channels look dead, and still count. */
static void priced(void **state)
{
	static const struct {
		int32_t space, scale;
		int64_t macs;
	} rows[] = {{0, 1, INVERTED}, {1, 0, RESIDUAL}};
	cop_ctx *cx = new_ctx();
	cop_search_args s = {0};
	cop_train_args a = {.threads = 1};
	cop_search_result *r = calloc(1, sizeof *r);
	cop_figures f[2];
	cop_dataset d;

	(void)state;
	for (int k = 0; k < LEN(rows); k++) {
		cop_design of = {.space = rows[k].space, .scale = rows[k].scale};
		cop__design_end(&of, false);
		for (int i = 0; i < 2; i++) {
			pictures(&d, 3, DIMS(SIDE, SIDE, 1), CLASSES, N);
			if (i) d.get = dark;
			cop_searcher z = searcher(cx, &s, &a, &d, r);
			OK(cx, cop__design_price(&f[i], &z, &of));
			assert_int_equal(f[i].macs, rows[k].macs);
		}
		assert_int_equal(f[1].ram_bytes, f[0].ram_bytes);
		assert_int_equal(f[1].flash_bytes, f[0].flash_bytes);
	}
	free(r);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(spaces), cmocka_unit_test(widths), cmocka_unit_test(settled), cmocka_unit_test(slices),
	        cmocka_unit_test(renorm), cmocka_unit_test(priced)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
