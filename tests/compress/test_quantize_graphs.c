/* SPDX-License-Identifier: Apache-2.0
 *
 * Post-training quantisation of networks as other programs make them: logarithms of energies, weights that layers share, several inputs,
 * time first, bytes in and out behind a turn. The integer network against the float one, sample by sample.
 */
#include "../pass/nets.h"
#include "compress/quantize/fake.h"

static const struct net {
	const char *name, *text;
	double least;      /* dB of the results over the noise */
	const char *holds; /* what the text of the result has */
	bool int8_io;
} nets[] = {
	{"log energy", "input x f32[1,1,64,1]\nparam k.w f32[4,1,16,1]\nconst e f32[1]\nparam f.w f32[3,16]\n"
		"a = conv x k.w sh=1 sw=16 dh=1 dw=1 groups=1\nb = mul a a lo=1e-5\nc = map b fn=3\nd = reshape c rank=2 dim=0,16\ny = fc d f.w\noutput y\n", 20, "conv x k.w", false},
	{"a root behind a bound", "input x f32[1,8]\nparam a.w f32[8,8]\nparam b.w f32[3,8]\na = fc x a.w lo=0.5\nb = map a fn=4\ny = fc b b.w\noutput y\n", 25, "qlut", false},
	{"bounds without 0", "input x f32[1,8]\nparam a.w f32[8,8]\nparam b.w f32[3,8]\na = fc x a.w lo=0.5 hi=2\ny = fc a b.w\noutput y\n", 25, "qconv", false},
	{"a root of a bounded square", "input x f32[1,8]\nparam a.w f32[8,8]\nparam b.w f32[3,8]\na = fc x a.w\nb = mul a a lo=0.5\nc = map b fn=4\ny = fc c b.w\noutput y\n", 25, "qlut", false},
	{"two layers of the same weights", "input x f32[1,6,6,3]\nparam w f32[3,3,3,3]\na = conv x w sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1 lo=0\n"
		"b = conv a w sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\ny = reshape b rank=2 dim=0,108\noutput y\n", 25, "const w i8[3,3,3,3]", false},
	{"two inputs", "input x f32[1,6]\ninput z f32[1,4]\nparam a.w f32[5,6]\nparam b.w f32[5,4]\na = fc x a.w\nb = fc z b.w\ny = add a b lo=0\noutput y\n", 25, "qadd", false},
	{"words by their numbers", "input x f32[1,4]\ninput i i32[1,3]\nparam e f32[4,4]\nparam a.w f32[4,4]\nparam b.w f32[3,16]\na = fc x a.w\nb = gather e i\nc = reshape b rank=2 dim=0,12\n"
		"d = concat a c axis=1\ny = fc d b.w\noutput y\n", 25, "qconv", false},
	{"time first", "input x f32[5,1,4]\nparam w f32[6,4]\na = reshape x rank=2 dim=5,4\nb = fc a w lo=0\nc = reshape b rank=3 dim=5,1,6\ny = reduce c fn=1 axes=1\noutput y\n", 25, "qconv", false},
	{"transposed convolutions", "input x f32[1,3,4,4]\nparam a.w f32[4,3,3,4]\nconst b f32[4]\nparam c.w f32[4,2,2,1]\n"
		"a = conv_dx x a.w sh=2 sw=2 pt=1 pl=1 dh=1 dw=1 groups=1 h=6 w=8\nb2 = add a b lo=0\nc = conv_dx b2 c.w sh=1 sw=2 pt=0 pl=1 dh=1 dw=2 groups=2 h=7 w=17\n"
		"y = reshape c rank=2 dim=0,238\noutput y\n", 25, "qconv", false},
	{"a mask of minus a million before a softmax", "input x f32[1,4]\nparam a.w f32[6,4]\nparam b.w f32[3,6]\nconst zero f32[1]\nconst half f32[6]\n"
		"a = fc x a.w\nr = clip zero lo=1e-6 hi=1e-6\ns = map half fn=10\nt = clip s lo=-1 hi=0\nu = div t r\nh = add a u\np = softmax h\ny = fc p b.w\noutput y\n", 20, "qconv", false},
	{"a mask of minus infinity, a constant", "input x f32[1,4]\nparam a.w f32[6,4]\nparam b.w f32[3,6]\nconst mask f32[1,6]\n"
		"a = fc x a.w\nh = add a mask\np = softmax h\ny = fc p b.w\noutput y\n", 25, "qconv", false},
	{"a mask of minus infinity, an input", "input x f32[1,4]\ninput mask f32[1,6]\nparam a.w f32[6,4]\nparam b.w f32[3,6]\n"
		"a = fc x a.w\nh = add a mask\np = softmax h\ny = fc p b.w\noutput y\n", 25, "qconv", false},
	{"bytes in, scaled by channel", "input x f32[1,6,6,3]\nconst m f32[3]\nconst s f32[3]\nparam w f32[2,3,3,3]\n"
		"a = sub x m\nb = mul a s\nc = conv b w sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\ny = reshape c rank=2 dim=0,72\noutput y\n", 25, "input x i8[1,6,6,3]", true},
	{"bytes in, channels first, scaled by channel", "input x f32[1,3,6,6]\nconst m f32[1,3,1,1]\nconst s f32[1,3,1,1]\nparam w f32[2,3,3,3]\n"
		"a = sub x m\nb = mul a s\nt = transpose b rank=4 dim=0,2,3,1\nc = conv t w sh=1 sw=1 dh=1 dw=1 groups=1\ny = reshape c rank=2 dim=0,32\noutput y\n", 25, "input x i8[1,3,6,6]", true},
	{"bytes in behind a turn, and out", "input x f32[1,3,6,6]\nparam w f32[2,3,3,3]\na = transpose x rank=4 dim=0,2,3,1\nb = conv a w sh=1 sw=1 dh=1 dw=1 groups=1\ny = transpose b rank=4 dim=0,3,1,2\noutput y\n",
		25, "input x i8[1,3,6,6]", true},
};

static cop_graph *parsed(cop_ctx *cx, const struct net *n)
{
	char text[2048];
	cop_graph *g;

	snprintf(text, sizeof text, "graph net\n%s", n->text);
	if (cop_graph_parse(&g, cx, text, strlen(text))) fail_msg("%s: %s", n->name, cop_error_text(cx));
	for (int32_t v = 1; v <= g->n_value; v++) {
		if (g->value[v].role != COP_CONST && g->value[v].role != COP_PARAM) continue;
		int64_t count = cop_type_count(cop__t(g, (cop_vid)v));
		float *w = cop__arena_get(&g->mem, sizeof *w * (size_t)count + 64);
		bool mask = g->value[v].name && !strcmp(g->value[v].name, "mask");
		for (int64_t i = 0; i < count; i++) w[i] = !mask ? cop__rand_unit(7, (uint32_t)v, (uint64_t)i) * 2 - 1 : i % 3 ? 0 : -INFINITY;
		g->value[v].data = w;
	}
	return g;
}

/* Samples whose loudness runs over five decades. */
typedef struct set { cop_dataset d; int32_t input; bool whole, mask; } set;

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const set *s = ud;
	int64_t n = cop_type_count(&s->d.x);

	*label = 0;
	for (int64_t k = 0; k < n; k++) {
		float r = cop__rand_unit(5, (uint32_t)s->input, (uint64_t)(i * 1000 + k));
		if (s->mask) x[k] = (i + k) % 3 ? 0 : -INFINITY;
		else x[k] = s->whole ? floorf(r * 4) : (r * 2 - 1) * (s->input == 9 ? powf(10, -(float)(i % 5)) : 1);
	}
	return COP_OK;
}

enum { SAMPLES = 40 };

static void open_sets(set *s, cop_dataset **d, const cop_graph *g, bool loud)
{
	for (int32_t i = 0; i < g->n_input; i++) {
		const cop_type *t = cop__t(g, g->input[i]);
		s[i] = (set){{.name = "drawn", .x = {.dtype = COP_F32, .rank = 1, .dim = {(int32_t)cop_type_count(t)}, .q.axis = -1}, .count = SAMPLES, .get = get}, loud ? 9 : i, t->dtype == COP_I32, !strcmp(g->value[g->input[i]].name, "mask")};
		if (t->rank > 2) { /* as the input has it, without the axis of samples, which is the first or of length 1 */
			s[i].d.x.rank = 0;
			for (int k = t->dim[0] == 1; k < t->rank; k++) s[i].d.x.dim[s[i].d.x.rank++] = t->dim[k];
		}
		s[i].d.ud = &s[i];
		d[i] = &s[i].d;
	}
}

static cop_status keep_text(void *ud, const void *bytes, size_t size)
{
	char *to = ud;
	size_t at = strlen(to);

	if (at + size < 16384) memcpy(to + at, bytes, size), to[at + size] = 0;
	return COP_OK;
}

static double decibels(cop_ctx *cx, const cop_graph *a, const cop_graph *b, cop_dataset *const *d)
{
	double signal = 0, noise = 0;
	float real[4096];
	cop_watch w[2];
	cop_tensor y[2];
	int32_t got;

	OK(cx, cop__watch_new(&w[0], a, 1, 0, 1));
	OK(cx, cop__watch_new(&w[1], b, 1, 0, 1));
	for (int32_t i = 0; i < SAMPLES; i++) {
		for (int k = 0; k < 2; k++) {
			OK(cx, cop__watch_load(&w[k], d, i, SAMPLES, &got));
			OK(cx, cop_session_run(w[k].host.s, 0));
			OK(cx, cop_session_io(w[k].host.s, 0, 0, true, &y[k]));
		}
		int64_t n = cop_type_count(&y[0].type);
		cop_tensor f = {cop__type(COP_F32, y[1].type.rank, y[1].type.dim), real};
		OK(cx, cop_tensor_copy(cx, &f, &y[1]));
		for (int64_t k = 0; k < n; k++) {
			double x = (double)((float *)y[0].data)[k], e = x - (double)real[k];
			signal += x * x, noise += e * e;
		}
	}
	cop__watch_free(&w[0]);
	cop__watch_free(&w[1]);
	return cop__decibels(signal, noise);
}

static void test_graphs(void **state)
{
	cop_ctx *cx = new_ctx();
	static char text[16384];
	(void)state;

	for (int i = 0; i < LEN(nets); i++) {
		cop_graph *g = parsed(cx, &nets[i]), *q;
		set s[2];
		cop_dataset *d[2];
		open_sets(s, d, g, i == 0);
		const cop_quantize_args a = {.threads = 1, .int8_io = nets[i].int8_io, .more = d + 1, .n_more = g->n_input - 1};
		q = parsed(cx, &nets[i]);
		if (cop_quantize(&q, d[0], &a)) fail_msg("%s: %s", nets[i].name, cop_error_text(cx));
		double db = decibels(cx, g, q, d);
		if (!(db >= nets[i].least)) fail_msg("%s: %.1f dB, %.1f are expected", nets[i].name, db, nets[i].least);
		*text = 0;
		OK(cx, cop_graph_print(q, keep_text, text));
		if (!strstr(text, nets[i].holds)) fail_msg("%s: no '%s' in\n%s", nets[i].name, nets[i].holds, text);
		cop_graph_free(q);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* Integers as floats that round, and as integers again: the same answers. Returns whether there is such a form; what has none is named. */
static int there_and_back(cop_ctx *cx, const char *name, const cop_graph *q, cop_dataset *const *d)
{
	cop_graph *rounds, *again;

	if (cop__pass_floats(&rounds, q)) {
		if (!strstr(cop_error_text(cx), "has no form in floats that can be trained")) fail_msg("%s: %s", name, cop_error_text(cx));
		cop_error_clear(cx);
		return 0;
	}
	OK(cx, cop_graph_verify(rounds));
	OK(cx, cop__pass_unfake(&again, rounds));
	double a = decibels(cx, q, rounds, d), b = decibels(cx, q, again, d);
	if (!(a >= 40 && b >= 40)) fail_msg("%s: %.1f dB as floats, %.1f dB as integers again", name, a, b);
	cop_graph_free(rounds);
	cop_graph_free(again);
	return 1;
}

/* A network that rounds in floats, as training has it, leads to the integers that quantisation makes, and computes what they do but for the rounding of sums. */
static void test_rounding(void **state)
{
	cop_ctx *cx = new_ctx();
	int raised = 0;
	(void)state;

	for (int i = 0; i < LEN(nets); i++) {
		cop_graph *g = parsed(cx, &nets[i]), *want, *rounds, *got;
		set s[2];
		cop_dataset *d[2];
		open_sets(s, d, g, i == 0);
		const cop_quantize_args a = {.threads = 1, .more = d + 1, .n_more = g->n_input - 1};
		cop_quantizer z = {.a = &a, .weight_bits = 8, .act_bits = 8};
		OK(cx, cop__quantizer_open(&z, g, d[0]));
		OK(cx, cop__set_ranges(&z));
		OK(cx, cop__quantize_weights(&z));
		OK(cx, cop__lower_quantized(&want, &z));
		OK(cx, cop__fake(&rounds, &z, &(cop_faking){.steps = true}));
		OK(cx, cop_graph_verify(rounds));
		OK(cx, cop__pass_unfake(&got, rounds));
		same_network(want, got, nets[i].name);
		double db = decibels(cx, rounds, got, d);
		if (!(db >= 40)) fail_msg("%s: %.1f dB between the network that rounds and the integers", nets[i].name, db);
		cop__quantizer_close(&z);
		raised += there_and_back(cx, nets[i].name, want, d);
		cop_graph_free(want);
		cop_graph_free(rounds);
		cop_graph_free(got);
		cop_graph_free(g);
	}
	assert_in_range(raised, 12, 15);
	cop_ctx_free(cx);
}

/* Samples for one input only are not enough, and numbers that are none are said. */
static void test_refused(void **state)
{
	cop_ctx *cx = new_ctx();
	int two = 0;
	while (strcmp(nets[two].name, "two inputs")) two++;
	cop_graph *g = parsed(cx, &nets[two]);
	set s[2];
	cop_dataset *d[2];
	(void)state;

	open_sets(s, d, g, false);
	assert_int_equal(cop_quantize(&g, d[0], &(cop_quantize_args){.threads = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "2 inputs"));
	cop_error_clear(cx);
	*(float *)cop__own(g, cop__find(g, "a.w")) = NAN;
	assert_int_equal(cop_quantize(&g, d[0], &(cop_quantize_args){.threads = 1, .more = d + 1, .n_more = 1}), COP_ARG);
	assert_non_null(strstr(cop_error_text(cx), "of the weights 'a.w' is "));
	cop_graph_free(g);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs), cmocka_unit_test(test_rounding), cmocka_unit_test(test_refused)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
