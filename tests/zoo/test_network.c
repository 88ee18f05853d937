/* SPDX-License-Identifier: Apache-2.0
 *
 * test_network - networks of one's own as text: the examples of docs/networks.md are read and trained, shapes and numbers of parameters
 * are those counted by hand, and a mistake is answered with its line and the nearest word.
 */
#include "help.h"
#include "graph/graph.h"

#include <math.h>

/* ---- numbers counted by hand ---- */

static const struct { const char *text; int64_t parameters; int32_t rank, dim[4]; } counted[] = {
	{"input 8\nfc 32 relu\nfc 3", 8 * 32 + 32 + 32 * 3 + 3, 2, {1, 3}},
	{"# a remark\n\ninput x 28 28 1 # and another\nconv 8 3x3 stride 2", 9 * 8 + 8, 4, {1, 14, 14, 8}},
	{"input 28 28 1\nconv 8 5 pad valid relu", 25 * 8 + 8, 4, {1, 24, 24, 8}},
	{"input 28 28 2\nconv 8 3x5 norm relu", 15 * 2 * 8 + 4 * 8, 4, {1, 28, 28, 8}},
	{"input 9 9 4\nconv 6 3x3 dirac norm gelu", 9 * 4 * 6 + 4 * 6, 4, {1, 9, 9, 6}},
	{"input 9 9 4\ndepthwise 3x3 stride 2", 9 * 4 + 4, 4, {1, 5, 5, 4}},
	{"input 9 9 4\naddconv 6 3x3 stride 2 relu", 9 * 4 * 6 + 4 * 6, 4, {1, 5, 5, 6}},
	{"input 28 28 1\nmaxpool 2\nmaxpool 3x2 stride 2\nflatten", 0, 2, {1, 6 * 7}},
	{"input 28 28 3\navgpool 7\nmean", 0, 2, {1, 3}},
	{"input 28 28 1\nfc 10", 7840 + 10, 2, {1, 10}},
	{"input 100 3\nconv 8 5 stride 2\nmaxpool 2", 5 * 3 * 8 + 8, 3, {1, 25, 8}},
	{"input 10 3\nlstm 4", 4 * 4 * (3 + 4) + 16, 2, {1, 4}},
	{"input 10 3\ngru 4 every\nrnn 2", 3 * 4 * (3 + 4) + 16 + 2 * (4 + 2) + 2, 2, {1, 2}},
	{"input 6 6 2\na = conv 4\nb = conv a 4 1x1\nadd a b relu", 9 * 2 * 4 + 4 + 4 * 4 + 4, 4, {1, 6, 6, 4}},
	{"input 6 6 2\na = relu\nsigmoid\nmul a\nconcat a\ntanh\ngelu\nhswish\nrelu6", 0, 4, {1, 6, 6, 4}},
	{"input 7\na = fc 3\nfc a 4\nconcat a\nnorm", 21 + 3 + 12 + 4 + 4 * 7, 2, {1, 7}},
};

static int64_t parameters(const cop_graph *g)
{
	int64_t n = 0;

	for (int32_t v = 1; v <= g->n_value; v++)
		if (g->value[v].role == COP_PARAM || (g->value[v].role == COP_STATE && g->value[v].of)) n += cop_type_count(&g->value[v].type);
	return n;
}

static void shapes_follow(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g;

	for (size_t i = 0; i < sizeof counted / sizeof *counted; i++) {
		if (cop_network_read(&g, cx, "net.txt", counted[i].text, strlen(counted[i].text), 1)) fail_msg("%s: %s", counted[i].text, cop_error_text(cx));
		const cop_type *y = cop__t(g, g->output[0]);
		if (y->rank != counted[i].rank || memcmp(y->dim, counted[i].dim, sizeof *y->dim * (size_t)y->rank)) fail_msg("%s: the result has another shape", counted[i].text);
		if (parameters(g) != counted[i].parameters) fail_msg("%s: %lld parameters", counted[i].text, (long long)parameters(g));
		cop_graph_free(g);
	}
}

/* As many filters as channels come in hand one on each; the others are drawn. */
static void hands_on(void **state)
{
	static const char text[] = "input 5 5 2\nconv 3 3x3 dirac\nnorm";
	cop_graph *g;

	assert_int_equal(cop_network_read(&g, *state, "net.txt", text, strlen(text), 1), COP_OK);
	const float *w = cop__floats(g, cop__find(g, "conv1.w"));
	for (int i = 0; i < 36; i++) assert_true(w[i] == (i == 8 || i == 18 + 9)); /* [filter, 3, 3, channel]: the middle is 4 */
	for (int i = 36; i < 54; i++) assert_true(w[i] != 0 && fabsf(w[i]) < 1);
	COP_ATTR(cop_bn_attr, norm, g, (cop_nid)g->n_node);
	assert_true(norm.eps == 1e-5f && norm.momentum == 0.1f);
	cop_graph_free(g);
}

/* ---- mistakes ---- */

static const struct { const char *text, *says; } bad[] = {
	{"", "no layer behind the input"}, {"input 8\n", "no layer behind the input"}, {"conv 8", "line 1: the first layer must be 'input'"},
	{"input 8\n\n# remark\ncnov 8", "net.txt, line 4: there is no layer 'cnov'; docs/networks.md lists them; did you mean 'conv'?"},
	{"inptu 8\nfc 2", "did you mean 'input'?"}, {"input 8\nfc 2 rleu", "did you mean 'relu'?"}, {"input 8 8 1\nconv 2 strid 2", "did you mean 'stride'?"},
	{"input 8 8 1\nlow = conv 2\nadd lwo", "did you mean 'low'?"}, {"input 8\ninput 8", "line 2: there is an input already"}, {"input\nfc 2", "needs the size"},
	{"input 8\nfc", "a number is missing"}, {"input 8\nfc 2 3", "'3' is one number too many"}, {"input 8\nfc 0", "'0' is no option"}, {"input 8\nfc -3", "'-3' is no option"},
	{"input 8\nfc 3 every", "no use for every"}, {"input 8\nfc 3 stride 2", "no use for stride"}, {"input 8 8 1\nconv 2 stride", "stride needs"}, {"input 8 8 1\nconv 2 pad some", "pad needs"},
	{"input 8\na = fc 2\na = fc 2", "line 3: the name 'a' is taken"}, {"input 8\nfc = fc 2", "'fc' is a layer"}, {"input 8\npad = fc 2", "'pad' is an option"}, {"input 8\na =", "a layer is expected"},
	{"input 8\nconv 3", "takes a picture or a sequence"}, {"input 8\nlstm 3", "takes a sequence"}, {"input 8 8 1\nmaxpool 9", "does not fit"}, {"input 8 8 1\nconv 2 9 pad valid", "a kernel does not fit"},
	{"input 8\na = fc 2\nfc 3\nadd a", "line 4: 'add' takes two results of one shape"}, {"input 8\nfc 3\nadd", "names of earlier results are missing"},
	{"input 4 4 1\na = conv 2\nfc 9\nconcat a", "line 4: "}, {"input 8\nfc 1000000\nfc 1000000", "268,435,456 weights"},
	{"input 1000000 1000000 3\nfc 1", "larger than"}, {"input 8\nfc 2 \x01", "a character that is no text"}, {"input 8\nfc 2222222222222222222222222222222222222222222222222222", "is longer than"},
};

static void mistakes_are_named(void **state)
{
	cop_ctx *cx = *state;
	cop_graph *g;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cop_status st = cop_network_read(&g, cx, "net.txt", bad[i].text, strlen(bad[i].text), 1);
		if (!st || g || !strstr(cop_error_text(cx), bad[i].says)) fail_msg("%s: %d, said: %s; expected: %s", bad[i].text, st, cop_error_text(cx), bad[i].says);
		cop_error_clear(cx);
	}
}

/* ---- the page ---- */

static char page[1 << 15];

static void read_page(void)
{
	FILE *f = fopen(COP_SOURCE_DIR "/docs/networks.md", "rb");

	assert_non_null(f);
	page[fread(page, 1, sizeof page - 1, f)] = 0;
	fclose(f);
}

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	const cop_dataset *d = ud;
	int64_t n = cop_type_count(&d->x);

	*label = i % d->classes;
	for (int64_t k = 0; k < n; k++) x[k] = (float)((i * 7 + k * 13 + *label * 29) % 31) / 31 - 0.5f;
	return COP_OK;
}

static void train(cop_ctx *cx, const char *text, size_t size)
{
	cop_graph *g;
	cop_score before, after;
	cop_dataset d = {.name = "made", .count = 24, .get = sample};
	const cop_train_args a = {.epochs = 4, .batch = 4, .threads = 1, .lr = 0.01f, .update = "adam", .seed = 1};

	if (cop_model_read(&g, cx, text, size)) fail_msg("%.200s: %s", text, cop_error_text(cx)); /* known by its first word */
	d.x = *cop__t(g, g->input[0]);
	for (int32_t i = 1; i < d.x.rank; i++) d.x.dim[i - 1] = d.x.dim[i];
	d.x.rank--;
	d.classes = cop__t(g, g->output[0])->dim[1];
	d.ud = &d;
	assert_int_equal(cop_eval(&before, g, &d, 4, 1), COP_OK);
	if (cop_train(g, &d, NULL, &a)) fail_msg("%.200s: %s", text, cop_error_text(cx));
	assert_int_equal(cop_eval(&after, g, &d, 4, 1), COP_OK);
	if (!(after.loss < before.loss)) fail_msg("%.200s: a loss of %g became %g", text, (double)before.loss, (double)after.loss);
	cop_graph_free(g);
}

static void examples_are_trained(void **state)
{
	int n = 0;

	read_page();
	for (char *p = strstr(page, "```text file="); p; p = strstr(p, "```text file="), n++) {
		char *text = strchr(p, '\n') + 1, *end = strstr(text, "```");
		assert_non_null(end);
		train(*state, text, (size_t)(end - text));
		p = end + 3;
	}
	assert_int_equal(n, 3);
}

/* The table of the page names every layer and every activation. */
static void page_names_every_layer(void **state)
{
	static const char *const word[] = {
#define LAYER(word, a, b, c, d, usage) #word,
#include "zoo/layer.def"
#undef LAYER
	};
	char key[32];

	(void)state;
	read_page();
	for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
		snprintf(key, sizeof key, "`%s", word[i]);
		if (!strstr(page, key)) fail_msg("docs/networks.md does not name '%s'", word[i]);
	}
}

static void seed_decides(void **state)
{
	static const char text[] = "input 8\nfc 4 relu\nfc 2\n";
	cop_ctx *cx = *state;
	cop_graph *g[3];

	for (int i = 0; i < 3; i++) assert_int_equal(cop_network_read(&g[i], cx, "n", text, strlen(text), i == 2 ? 6 : 5), COP_OK);
	const float *w[3];
	for (int i = 0; i < 3; i++) w[i] = g[i]->value[cop__find(g[i], "fc1.w")].data;
	assert_memory_equal(w[0], w[1], 32 * sizeof(float));
	assert_memory_not_equal(w[0], w[2], 32 * sizeof(float));
	for (int i = 0; i < 3; i++) cop_graph_free(g[i]);
}

static int set_up(void **state) { return cop_ctx_new((cop_ctx **)state, NULL); }
static int tear_down(void **state) { return cop_ctx_free(*state), 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shapes_follow, set_up, tear_down), cmocka_unit_test_setup_teardown(hands_on, set_up, tear_down), cmocka_unit_test_setup_teardown(mistakes_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(examples_are_trained, set_up, tear_down), cmocka_unit_test_setup_teardown(page_names_every_layer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(seed_decides, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
