/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps of what a network looked at: against PyTorch (make_explain_reference.py), against finite differences of the score, and on a network whose answer hangs on one
 * corner, by hand; integer networks; random weights; how alike maps are; what is refused.
 */
#include "help.h"
#include "explain/explain_reference.h"

/* ---- samples ---- */

typedef struct set { cop_dataset d; float x[3 * 600]; } set; /* sample i begins at element i * each */

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const set *s = ud;
	const int64_t each = cop_type_count(&s->d.x);

	memcpy(x, s->x + i * each, sizeof *x * (size_t)each);
	*label = 0;
	return COP_OK;
}

static cop_dataset *samples(set *s, int32_t count, int32_t rank, const int32_t *dim)
{
	s->d = (cop_dataset){.name = "pictures", .x = cop__type(COP_F32, rank, dim), .count = count, .get = get, .ud = s};
	return &s->d;
}

static cop_dataset *noise(set *s, int32_t count, int32_t rank, const int32_t *dim)
{
	cop_dataset *d = samples(s, count, rank, dim);

	for (int64_t i = 0; i < count * cop_type_count(&d->x); i++) s->x[i] = cop__rand_unit(5, 1, (uint64_t)i);
	return d;
}

static void numbers(float *x, int n, int a, int m, int half, float by)
{
	for (int i = 0; i < n; i++) x[i] = (float)(i * a % m - half) / by;
}

/* ---- networks ---- */

static cop_graph *written(cop_ctx *cx, const char *text)
{
	cop_graph *g;
	OK(cx, cop_network_read(&g, cx, "net", text, strlen(text), 3));
	return g;
}

static cop_graph *parsed(cop_ctx *cx, const char *text)
{
	cop_graph *g;
	OK(cx, cop_graph_parse(&g, cx, text, strlen(text)));
	return g;
}

static float *weight(cop_graph *g, const char *name)
{
	cop_tensor t;
	OK(g->cx, cop_graph_edit(g, name, &t));
	return t.data;
}

static void fill(cop_graph *g, const char *name, int a, int m, int half, float by)
{
	cop_tensor t;
	OK(g->cx, cop_graph_edit(g, name, &t));
	numbers(t.data, (int)cop_type_count(&t.type), a, m, half, by);
}

/* The network of the reference. */
static cop_graph *reference(cop_ctx *cx)
{
	cop_graph *g = written(cx, "input 6 8 2\nc1 = conv 3 3x3 norm relu\nmaxpool 2\nc2 = conv 4 3x3 relu\nmean\nf = fc 3\n");

	fill(g, "c1.w", 7, 23, 11, 20);
	memcpy(weight(g, "c1.bn.gamma"), (float[]){1.5f, -0.5f, 0.75f}, 12);
	memcpy(weight(g, "c1.bn.beta"), (float[]){0.1f, 0.2f, -0.1f}, 12);
	memcpy(weight(g, "c1.bn.mean"), (float[]){0.05f, -0.1f, 0.2f}, 12);
	memcpy(weight(g, "c1.bn.var"), (float[]){0.5f, 1.5f, 0.8f}, 12);
	fill(g, "c2.w", 5, 11, 5, 18);
	fill(g, "c2.b", 3, 7, 1, 10);
	fill(g, "f.w", 3, 7, 3, 4);
	memset(weight(g, "f.b"), 0, 12);
	return g;
}

static cop_dataset *reference_sample(set *s)
{
	cop_dataset *d = samples(s, 1, 3, DIMS(6, 8, 2));
	numbers(s->x, 6 * 8 * 2, 5, 17, 3, 12);
	return d;
}

/* A picture of 6x6 of which two classes take the lower right corner of 2x2, class 0 for it and class 1 against it. */
static cop_graph *corner(cop_ctx *cx)
{
	cop_graph *g = parsed(cx, "graph corner\ninput x f32[1,6,6,1]\nparam f.w f32[2,36]\n%1 = reshape x rank=2 dim=0,-1\n%2 = fc %1 f.w _\ny = softmax %2\noutput y\n");
	float *w = weight(g, "f.w");

	for (int y = 4; y < 6; y++)
		for (int x = 4; x < 6; x++) w[y * 6 + x] = 2, w[36 + y * 6 + x] = -2;
	return g;
}

/* ---- against PyTorch ---- */

static void near(const char *what, const float *got, const float *want, int n)
{
	assert_non_null(got);
	for (int i = 0; i < n; i++)
		if (!(fabs((double)got[i] - (double)want[i]) < 2e-6)) fail_msg("%s: %d: %.9g, not %.9g", what, i, (double)got[i], (double)want[i]);
}

static void pytorch(void **state)
{
	static const struct { int32_t patch, stride; const float *want; } row[] = {{3, 2, want_occlusion_3_2}, {2, 1, want_occlusion_2_1}, {2, 0, want_occlusion_2_1}};
	set s;
	cop_dataset *d = reference_sample(&s);
	cop_graph *g = reference(*state);
	cop_explanation e;

	for (int i = 0; i < LEN(row); i++) {
		OK(*state, cop_explain(&e, g, d, &(cop_explain_args){.output = 1, .patch = row[i].patch, .stride = row[i].stride, .threads = 1}));
		near("score", &e.score, want_scores + 1, 1);
		near("saliency", e.map[COP_SALIENCY], want_saliency, 48);
		near("grad-cam", e.map[COP_GRAD_CAM], want_grad_cam, 48);
		near("occlusion", e.map[COP_OCCLUSION], row[i].want, 48);
		near("picture", e.picture, s.x, 96);
		assert_int_equal(e.h * 1000 + e.w * 10 + e.channels, 6082);
		cop_explanation_free(&e);
	}
	OK(*state, cop_explain(&e, g, d, NULL)); /* the highest score; an eighth of about 7 pixels is 1 */
	assert_int_equal(e.output, 2);
	near("score", &e.score, want_scores + 2, 1);
	cop_explanation_free(&e);
	cop_graph_free(g);
}

/* ---- against finite differences ---- */

#define FIRST "graph first\ninput x f32[1,3,5,6]\nparam c.w f32[4,3,3,3]\nparam f.w f32[3,120]\n" \
	"%1 = transpose x rank=4 dim=0,2,3,1\n%2 = conv %1 c.w _ sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\n%3 = tanh %2\n" \
	"%4 = reshape %3 rank=2 dim=0,-1\ny = fc %4 f.w _\noutput y\n"

static float score_of(const cop_graph *g, cop_dataset *d, int32_t output)
{
	cop_explanation e;

	OK(g->cx, cop_explain(&e, g, d, &(cop_explain_args){.output = output, .leave = {true, true, true}}));
	float score = e.score;
	for (int m = 0; m < COP_MAPS; m++) assert_true(!e.map[m] && !*e.why[m]);
	cop_explanation_free(&e);
	return score;
}

static cop_status odds(void *ud, int32_t i, const float *y, int32_t n, int32_t label)
{
	(void)i, (void)n, (void)label;
	*(double *)ud = log((double)y[2] / (double)y[1]);
	return COP_OK;
}

/* The scores are those of the network as it is used: their difference tells how much more probable one class is than another. */
static void as_predicted(const char *what, const cop_graph *g, cop_dataset *d)
{
	double want = 0, got = (double)(score_of(g, d, 2) - score_of(g, d, 1));

	OK(g->cx, cop_predict(g, d, 1, 1, odds, &want));
	if (fabs(got - want) > 1e-5) fail_msg("%s: scores differ by %g, predictions by %g", what, got, want);
}

static void differences(const char *what, const cop_graph *g, set *s, int h, int w, int channels)
{
	cop_explanation e;
	bool first = s->d.x.dim[0] == channels;

	OK(g->cx, cop_explain(&e, g, &s->d, &(cop_explain_args){.output = 2, .leave = {[COP_OCCLUSION] = true}}));
	for (int i = 0; i < h * w; i++) {
		double most = 0;
		for (int c = 0; c < channels; c++) {
			float *x = &s->x[first ? c * h * w + i : i * channels + c], was = *x, step = 0.01f;
			*x = was + step;
			float up = score_of(g, &s->d, 2);
			*x = was - step;
			most = fmax(most, fabs((double)(up - score_of(g, &s->d, 2))) / (2 * (double)step));
			*x = was;
		}
		if (fabs(most - (double)e.map[COP_SALIENCY][i]) > 0.001 + 0.01 * most) fail_msg("%s: pixel %d: %g, by differences %g", what, i, (double)e.map[COP_SALIENCY][i], most);
	}
	cop_explanation_free(&e);
}

static void finite_differences(void **state)
{
	static const cop_samples scaled = {.times = 2, .channels = 3, .mean = {0.1f, 0.5f, 0.9f}, .std = {0.5f, 2, 0.25f}};
	static const struct { const char *what, *text; bool scaled, first; } row[] = {
		{"a convolution", "input 5 6 3\nconv 4 3x3 tanh\nfc 3\n", false, false},
		{"scaled samples", "input 5 6 3\nconv 4 3x3 tanh\nfc 3\n", true, false},
		{"batch norm that can't be folded", "input 5 6 3\nn = norm\nconv 4 3x3 tanh\nfc 3\n", false, false},
		{"channels first in the network", FIRST, false, false},
		{"channels first in the network, scaled", FIRST, true, false},
		{"channels first in both, scaled", FIRST, true, true},
		{"a recurrent layer", "input 5 6\nlstm 6\nfc 3\n", false, false},
		{"no convolution", "input 90\nfc 8 tanh\nfc 3\n", false, false},
	};

	for (int i = 0; i < LEN(row); i++) {
		set s;
		bool plain = !row[i].scaled && strstr(row[i].text, "lstm");
		cop_graph *g = strncmp(row[i].text, "graph", 5) ? written(*state, row[i].text) : parsed(*state, row[i].text);
		noise(&s, 1, plain ? 2 : 3, row[i].first ? DIMS(3, 5, 6) : DIMS(5, 6, 3));
		if (row[i].scaled) OK(*state, cop_graph_samples_set(g, &scaled));
		for (int k = 0; cop_graph_weight(g, k); k++)
			if (strstr(cop_graph_weight(g, k), ".w") && !strncmp(row[i].text, "graph", 5)) fill(g, cop_graph_weight(g, k), 7, 23, 11, 30);
		if (strstr(row[i].text, "norm")) memcpy(weight(g, "n.bn.var"), (float[]){0.25f, 4, 2}, 12), memcpy(weight(g, "n.bn.mean"), (float[]){0.5f, -1, 0.2f}, 12);
		as_predicted(row[i].what, g, &s.d);
		differences(row[i].what, g, &s, 5, 6, plain ? 1 : 3);
		cop_graph_free(g);
	}
}

/* ---- by hand ---- */

static void one_corner(void **state)
{
	set s;
	cop_dataset *d = noise(&s, 1, 3, DIMS(6, 6, 1));
	cop_graph *g = corner(*state);
	cop_explanation e;
	double mean = 0, corner_sum = 0;

	for (int i = 0; i < 36; i++) mean += (double)s.x[i] / 36, corner_sum += i / 6 > 3 && i % 6 > 3 ? (double)s.x[i] : 0;
	for (int c = 0; c < 2; c++) {
		double sign = c ? -1 : 1, fall = sign * 2 * (corner_sum - 4 * mean);
		OK(*state, cop_explain(&e, g, d, &(cop_explain_args){.output = c, .patch = 2, .stride = 2}));
		for (int i = 0; i < 36; i++) {
			bool in = i / 6 > 3 && i % 6 > 3;
			assert_true(fabs((double)e.map[COP_OCCLUSION][i] - (in ? fall : 0)) < 1e-5);
			assert_true(e.map[COP_SALIENCY][i] == (in ? 2.f : 0.f)); /* in front of the softmax */
		}
		assert_true(fabs((double)e.score - sign * 2 * corner_sum) < 1e-5);
		assert_null(e.map[COP_GRAD_CAM]);
		assert_non_null(strstr(e.why[COP_GRAD_CAM], "no convolution over positions"));
		cop_explanation_free(&e);
	}
	cop_graph_free(g);
}

/* Two convolutions that are added are one with the sum of their weights: what they are the parts of is looked at, not the last of them. */
static void residual(void **state)
{
#define CONV "sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\n"
#define REST "reshape %7 rank=2 dim=0,-1\ny = fc %8 f.w _\noutput y\n"
	static const char two[] = "graph two\ninput x f32[1,6,8,2]\nparam a.w f32[3,3,3,2]\nparam b.w f32[3,3,3,2]\nparam f.w f32[2,144]\n"
		"%1 = conv x a.w _ " CONV "%2 = conv x b.w _ " CONV "%3 = add %1 %2\n%7 = clip %3 lo=0\n%8 = " REST;
	static const char one[] = "graph one\ninput x f32[1,6,8,2]\nparam a.w f32[3,3,3,2]\nparam f.w f32[2,144]\n"
		"%1 = conv x a.w _ " CONV "%7 = clip %1 lo=0\n%8 = " REST;
	cop_graph *g[2] = {parsed(*state, two), parsed(*state, one)};
	cop_explanation e[2];
	set s;

	cop_dataset *d = reference_sample(&s);
	for (int i = 0; i < 2; i++) fill(g[i], "a.w", 7, 23, 11, 20), fill(g[i], "f.w", 5, 19, 6, 20);
	fill(g[0], "b.w", 5, 11, 5, 18);
	for (int i = 0; i < 54; i++) weight(g[1], "a.w")[i] += weight(g[0], "b.w")[i];
	for (int i = 0; i < 2; i++) OK(*state, cop_explain(&e[i], g[i], d, &(cop_explain_args){.output = 1}));
	near("grad-cam", e[0].map[COP_GRAD_CAM], e[1].map[COP_GRAD_CAM], 48);
	for (int i = 0; i < 2; i++) cop_explanation_free(&e[i]), cop_graph_free(g[i]);
}

/* ---- integers ---- */

static double rank(cop_ctx *cx, const cop_explanation *a, const cop_explanation *b, int m)
{
	cop_likeness l;
	OK(cx, cop_map_alike(&l, cx, a->map[m], b->map[m], a->h * a->w));
	return (double)l.rank;
}

/* The maps of a quantised network are nearly those of the floats; one whose table no floats stand for has occlusion alone. */
static void integers(void **state)
{
	static const struct { const char *text; bool gradients; } row[] = {
		{"input 12 12 1\nconv 6 3x3 relu\nconv 8 3x3 stride 2 relu\nmean\nfc 4\n", true},
		{"input 12 12 1\nconv 6 3x3 tanh\nconv 8 3x3 stride 2 relu\nmean\nfc 4\n", false},
	};

	for (int i = 0; i < LEN(row); i++) {
		set s;
		cop_dataset *d = noise(&s, 8, 3, DIMS(12, 12, 1));
		cop_graph *g = written(*state, row[i].text), *q = written(*state, row[i].text);
		cop_explanation a, b;
		OK(*state, cop_quantize(&q, d, &(cop_quantize_args){.threads = 1}));
		OK(*state, cop_explain(&a, g, d, &(cop_explain_args){.output = 1, .sample = 3}));
		OK(*state, cop_explain(&b, q, d, &(cop_explain_args){.output = 1, .sample = 3}));
		for (int m = 0; m < COP_MAPS; m++) {
			if (row[i].gradients || m == COP_OCCLUSION) assert_true(rank(*state, &a, &b, m) > 0.9);
			else assert_true(!b.map[m] && strstr(b.why[m], "no straight line"));
		}
		assert_int_equal(b.weights > 0, row[i].gradients);
		assert_true(fabs((double)(a.score - b.score)) < 0.05 + 0.1 * fabs((double)a.score));
		assert_string_equal(cop_error_text(*state), "");
		cop_explanation_free(&a);
		cop_explanation_free(&b);
		cop_graph_free(g);
		cop_graph_free(q);
	}
}

/* A score beyond the range that calibration has seen is rounded to the end of it; what the network looked at can be seen all the same. */
static void beyond_the_range(void **state)
{
	set s;
	cop_dataset *d = noise(&s, 9, 3, DIMS(6, 6, 1));
	cop_graph *g = corner(*state);
	cop_explanation e;

	for (int i = 0; i < 9 * 36; i++)
		if (i % 36 / 6 > 3 && i % 6 > 3) s.x[i] = i < 8 * 36 ? 0.1f : 0.9f; /* dark corners to calibrate with, a bright one at the end */
	d->count = 8;
	OK(*state, cop_quantize(&g, d, &(cop_quantize_args){.range = "minmax", .threads = 1}));
	d->count = 9;
	OK(*state, cop_explain(&e, g, d, &(cop_explain_args){.sample = 8, .patch = 2, .stride = 2}));
	for (int i = 0; i < 36; i++) {
		bool in = i / 6 > 3 && i % 6 > 3;
		assert_true(fabs((double)e.map[COP_SALIENCY][i] - (in ? 2 : 0)) < 0.05);
		assert_true(in ? e.map[COP_OCCLUSION][i] > 2 : fabs((double)e.map[COP_OCCLUSION][i]) < 0.05);
	}
	cop_explanation_free(&e);
	cop_graph_free(g);
}

/* ---- random weights ---- */

static void random_weights(void **state)
{
	static const char *const layer[] = {"", "f.w", "c2.w", "c1.w"};
	set s;
	cop_dataset *d = noise(&s, 1, 3, DIMS(12, 12, 1));
	cop_graph *g = written(*state, "input 12 12 1\nc1 = conv 6 3x3 relu\nc2 = conv 8 3x3 relu\nflatten\nf = fc 4\n");
	cop_explanation now, e, again;

	OK(*state, cop_explain(&now, g, d, &(cop_explain_args){.output = 1, .threads = 1}));
	assert_int_equal(now.weights, 3);
	for (int k = 0; k < 4; k++) {
		OK(*state, cop_explain(&e, g, d, &(cop_explain_args){.output = 1, .random = k, .seed = 7, .threads = 1}));
		OK(*state, cop_explain(&again, g, d, &(cop_explain_args){.output = 1, .random = k, .seed = 7, .threads = 3}));
		assert_string_equal(e.layer, layer[k]);
		for (int m = 0; m < COP_MAPS; m++) {
			double r = rank(*state, &now, &e, m);
			if (k ? r > 0.7 : r < 1) fail_msg("map %d with %d weights replaced: %g", m, k, r);
			assert_memory_equal(e.map[m], again.map[m], sizeof(float) * 144);
		}
		cop_explanation_free(&e);
		cop_explanation_free(&again);
	}
	/* the network itself is as it was */
	OK(*state, cop_explain(&e, g, d, &(cop_explain_args){.output = 1}));
	assert_memory_equal(e.map[COP_SALIENCY], now.map[COP_SALIENCY], sizeof(float) * 144);
	cop_explanation_free(&e);
	cop_explanation_free(&now);
	cop_graph_free(g);
}

/* Random numbers around 0.5 that do not vary are what was there: the last layer stays, and the first is not touched. */
static void last_first(void **state)
{
	set s;
	cop_dataset *d = noise(&s, 1, 3, DIMS(12, 12, 1));
	cop_graph *g = written(*state, "input 12 12 1\nc = conv 6 3x3 relu\nflatten\nf = fc 4\n");
	float *f = weight(g, "f.w");
	cop_explanation e[3];

	for (int i = 0; i < 4 * 6 * 144; i++) f[i] = 0.5f;
	for (int k = 0; k < 3; k++) OK(*state, cop_explain(&e[k], g, d, &(cop_explain_args){.output = 1, .random = k, .seed = 7}));
	for (int m = 0; m < COP_MAPS; m++) {
		assert_memory_equal(e[0].map[m], e[1].map[m], sizeof(float) * 144);
		assert_true(memcmp(e[0].map[m], e[2].map[m], sizeof(float) * 144) != 0);
	}
	for (int k = 0; k < 3; k++) cop_explanation_free(&e[k]);
	cop_graph_free(g);
}

/* ---- how alike ---- */

static void alike(void **state)
{
	float up[20], down[20], flat[20], ten[20], below[20], bad[20];
	cop_likeness l;

	for (int i = 0; i < 20; i++) up[i] = (float)i, down[i] = (float)(20 - i), flat[i] = 1, ten[i] = 10 * (float)i, below[i] = (float)(i - 30), bad[i] = i ? 1 : NAN;
	ten[19] = 5; /* of the two highest it keeps one */
	const struct { const float *a, *b; double rank, top; } row[] = {{up, up, 1, 1}, {up, down, -1, 0}, {up, below, 1, 0}, {up, ten, 1 - 6.0 * (18 * 18 + 18) / (20 * 399), 0.5}, {flat, up, NAN, 1}, {bad, up, NAN, NAN}};
	for (int i = 0; i < LEN(row); i++) {
		OK(*state, cop_map_alike(&l, *state, row[i].a, row[i].b, 20));
		if (isnan(row[i].rank) ? !isnan(l.rank) : !(fabs((double)l.rank - row[i].rank) < 1e-6)) fail_msg("row %d: rank %g", i, (double)l.rank);
		if (isnan(row[i].top) ? !isnan(l.top) : (double)l.top != row[i].top) fail_msg("row %d: top %g", i, (double)l.top);
	}
	OK(*state, cop_map_alike(&l, *state, below, below, 20));
	assert_true(isnan(l.top)); /* nothing is above 0 */
	OK(*state, cop_map_alike(&l, *state, ties_a, ties_b, LEN(ties_a)));
	assert_true(fabs((double)(l.rank - *want_rank)) < 1e-6);
}

/* ---- what is refused ---- */

static void refused(void **state)
{
	static const char two[] = "graph two\ninput x f32[1,6,6,1]\ninput z f32[1,6,6,1]\n%1 = add x z\ny = reshape %1 rank=2 dim=0,-1\noutput y\n";
	set s, flat;
	cop_dataset *d = noise(&s, 2, 3, DIMS(6, 6, 1)), *row = noise(&flat, 1, 1, DIMS(36));
	cop_graph *g = corner(*state), *pair = parsed(*state, two);
	const struct { cop_graph *g; cop_dataset *d; cop_explain_args a; cop_status st; const char *says; } bad[] = {
		{g, row, {0}, COP_SHAPE, "samples of 'pictures' have 1 axis; a map is drawn over a picture"},
		{pair, d, {0}, COP_SHAPE, "takes 2 inputs"},
		{g, d, {.sample = 2}, COP_ARG, "sample 2: 'pictures' has 2"},
		{g, d, {.sample = -1}, COP_ARG, "sample -1"},
		{g, d, {.output = 2}, COP_ARG, "output 2: 'corner' has 2"},
		{g, d, {.random = 2}, COP_ARG, "'corner' has 1 weight"},
		{g, d, {.random = -1}, COP_ARG, "may not be below 0"},
		{g, d, {.patch = -1}, COP_ARG, "may not be below 0"},
		{NULL, d, {0}, COP_ARG, ""},
		{g, NULL, {0}, COP_ARG, "data is NULL"},
	};
	cop_explanation e;

	for (int i = 0; i < LEN(bad); i++) {
		assert_int_equal(cop_explain(&e, bad[i].g, bad[i].d, &bad[i].a), bad[i].st);
		if (!strstr(cop_error_text(*state), bad[i].says)) fail_msg("'%s' does not say '%s'", cop_error_text(*state), bad[i].says);
		assert_null(e.picture);
		cop_explanation_free(&e);
		cop_error_clear(*state);
	}
	cop_graph_free(g);
	cop_graph_free(pair);
}

static int open_ctx(void **state) { *state = new_ctx(); return 0; }
static int close_ctx(void **state) { cop_ctx_free(*state); return 0; }

#define EACH(test) cmocka_unit_test_setup_teardown(test, open_ctx, close_ctx)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(pytorch), EACH(finite_differences), EACH(one_corner), EACH(residual), EACH(integers), EACH(beyond_the_range), EACH(random_weights), EACH(last_first), EACH(alike), EACH(refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
