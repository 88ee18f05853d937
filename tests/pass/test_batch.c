/* SPDX-License-Identifier: Apache-2.0
 *
 * batch: every sample of a batch gets the result that it gets alone. By a table of networks whose batch is not simply dimension 0, and
 * by all samples of all operators: wherever the pass lets samples through an axis, they are apart there.
 */
#include "pass/batch.h"
#include "pass/nets.h"

/* ---- one graph, run ---- */

typedef struct runner { cop_graph *g; cop_plan *p; cop_session *s; } runner;

static void open_runner(runner *r, cop_ctx *cx, cop_graph *g)
{
	cop_target t;

	r->g = g;
	OK(cx, cop_target_find(&t, cx, "host"));
	t.isa = 0;
	OK(cx, cop_plan_build(&r->p, &r->g, 1, &t));
	OK(cx, cop_session_new(&r->s, r->p, 1));
}

static void close_runner(runner *r)
{
	cop_session_free(r->s);
	cop_plan_free(r->p);
}

static float least = -1; /* of reals: operators take roots and logarithms */

/* Element k of input i of sample s, whatever the batch. */
static void draw(const cop_graph *g, cop_vid v, void *one, int32_t sample, int64_t count, uint32_t stream)
{
	const cop_type *t = cop__t(g, v);

	for (int64_t k = 0; k < count; k++) {
		uint64_t at = (uint64_t)sample * 10007 + (uint64_t)k;
		if (t->dtype == COP_F32) ((float *)one)[k] = least + 2 * cop__rand_unit(3, stream, at);
		else if (t->dtype == COP_I32) ((int32_t *)one)[k] = (int32_t)(cop__rand(3, stream, at) % 4);
		else if (t->dtype == COP_I16) ((int16_t *)one)[k] = (int16_t)cop__rand(3, stream, at);
		else ((uint8_t *)one)[k] = (uint8_t)cop__rand(3, stream, at);
	}
}

/* The numbers of sample s of all outputs, when the runner's samples are s0, s0 + 1, ... */
static void fill_all(cop_ctx *cx, runner *r, int32_t samples, int32_t first)
{
	char one[65536];
	cop_tensor x;
	cop_parts part;

	for (int i = 0; i < r->g->n_input; i++) {
		OK(cx, cop_session_io(r->s, 0, i, false, &x));
		cop__parts_of(&part, r->g, r->g->input[i], samples);
		int64_t bytes = part.lead * part.bytes, each = bytes * 8 / cop__dtype_bits(x.type.dtype);
		assert_true(bytes <= (int64_t)sizeof one);
		for (int32_t s = 0; s < samples; s++) {
			draw(r->g, r->g->input[i], one, first + s, each, (uint32_t)i);
			cop__part_put(&part, x.data, s, one);
		}
	}
	OK(cx, cop_session_run(r->s, 0));
}

static void same_sample(cop_ctx *cx, runner *many, int32_t at, int32_t samples, runner *alone, const char *what)
{
	char a[65536], b[65536];
	cop_tensor y;
	cop_parts part;

	for (int i = 0; i < many->g->n_output; i++) {
		OK(cx, cop_session_io(many->s, 0, i, true, &y));
		cop__parts_of(&part, many->g, many->g->output[i], samples);
		cop__part_take(&part, a, at, y.data);
		size_t bytes = (size_t)(part.lead * part.bytes);
		OK(cx, cop_session_io(alone->s, 0, i, true, &y));
		cop__parts_of(&part, alone->g, alone->g->output[i], 1);
		assert_int_equal(part.lead * part.bytes, bytes);
		cop__part_take(&part, b, 0, y.data);
		for (size_t k = 0; y.type.dtype == COP_F32 && k < bytes / 4; k++)
			if (!(fabsf(((float *)a)[k] - ((float *)b)[k]) < 1e-5f)) fail_msg("%s: output %d of sample %d of %d differs at %zu: %g, %g", what, i, at, samples, k, ((float *)a)[k], ((float *)b)[k]);
		if (y.type.dtype != COP_F32 && memcmp(a, b, bytes)) fail_msg("%s: output %d of sample %d differs", what, i, at);
	}
}

/* alone is for one sample, many for `samples`. */
static void compare(cop_ctx *cx, cop_graph *alone, cop_graph *many, int32_t samples, const char *what)
{
	runner a, m;

	open_runner(&a, cx, alone);
	open_runner(&m, cx, many);
	for (int32_t s = 0; s < samples; s++) {
		fill_all(cx, &m, samples, 0); /* again: outputs lie in memory that the next run uses */
		fill_all(cx, &a, 1, s);
		same_sample(cx, &m, s, samples, &a, what);
	}
	close_runner(&m);
	close_runner(&a);
}

/* ---- networks ---- */

static const struct net { const char *name, *text; } nets[] = {
	{"rows, with the batch spelled out",
		"input x f32[1,6,6,2]\nparam c.w f32[4,3,3,2]\nparam f.w f32[3,96]\n"
		"a = conv x c.w sh=1 sw=1 pt=1 pl=1 pb=1 pr=1 dh=1 dw=1 groups=1\nb = reshape a rank=4 dim=1,3,12,4\nc = slice b from=0,1 size=1,2,12,4\n"
		"d = reshape c rank=2 dim=0,-1\ny = fc d f.w\noutput y\n"},
	{"time first, unrolled",
		"input x f32[3,1,4]\nparam w f32[5,4]\nparam r f32[5,5]\nconst zero f32[1,5]\n"
		"a = reshape x rank=2 dim=3,4\nb = fc a w\nc = reshape b rank=3 dim=3,1,5\n"
		"s0 = slice c size=1\nt0 = reshape s0 rank=2 dim=1,5\nu0 = fc zero r\nv0 = add t0 u0\nh0 = tanh v0\n"
		"s1 = slice c from=1 size=1\nt1 = reshape s1 rank=2 dim=1,5\nu1 = fc h0 r\nv1 = add t1 u1\nh1 = tanh v1\n"
		"k0 = reshape h0 rank=3 dim=1,1,5\nk1 = reshape h1 rank=3 dim=1,1,5\ny = concat k0 k1\noutput y\noutput h1\n"},
	{"batch first, turned to time first",
		"input x f32[1,3,4]\nparam w f32[5,4]\n"
		"t = transpose x rank=3 dim=1,0,2\na = reshape t rank=2 dim=0,4\nb = fc a w\nc = reshape b rank=3 dim=0,1,5\n"
		"s = slice c from=2 size=1\nl = reshape s rank=2 dim=0,5\ny = tanh l\noutput y\n"},
	{"a state of two layers beside the input",
		"input x f32[1,4]\ninput h f32[2,1,4]\nparam w f32[4,4]\n"
		"u = reshape x rank=3 dim=1,1,4\na = slice h size=1\nb = slice h from=1 size=1\nc = add a u\nd = reshape c rank=2 dim=0,4\n"
		"e = fc d w\nf = reshape e rank=3 dim=1,1,4\ng = add f b\nhn = concat c g\ny = reshape g rank=2 dim=1,4\noutput y\noutput hn\n"},
	{"a class token and positions",
		"input x f32[1,3,4]\nconst token f32[1,1,4]\nconst place f32[1,4,4]\nparam w f32[2,4]\n"
		"t = expand token rank=3 dim=1,1,4\nc = concat t x axis=1\na = add c place\nb = softmax a\nf = slice b size=0,1\nr = reshape f rank=2 dim=1,4\ny = fc r w\noutput y\n"},
	{"a token that is not expanded, behind the samples",
		"input x f32[1,3,4]\nparam token f32[1,1,4]\nc = concat x token axis=1\ny = reduce c fn=1 axes=2\noutput y\n"},
	{"attention, batch first",
		"input x f32[1,5,8]\nparam w f32[8,8]\n"
		"a = reshape x rank=2 dim=-1,8\nq = fc a w\nb = reshape q rank=3 dim=5,2,4\nh = transpose b rank=3 dim=1,0,2\n"
		"s = matmul h h tb=1\np = softmax s\no = matmul p h\nt = transpose o rank=3 dim=1,0,2\nr = reshape t rank=3 dim=1,5,8\ny = reduce r fn=1 axes=2\noutput y\n"},
	{"attention, time first, heads beside the batch, a mask",
		"input x f32[5,1,8]\nparam w f32[8,8]\nconst mask f32[5,5]\nconst bias f32[2,5,5]\n"
		"a = reshape x rank=2 dim=5,8\nq = fc a w\nb = reshape q rank=3 dim=5,2,4\nh = transpose b rank=3 dim=1,0,2\nk = transpose b rank=3 dim=1,2,0\n"
		"s = matmul h k\nm = add s mask\nn = add m bias\np = softmax n\no = matmul p h\nt = transpose o rank=3 dim=1,0,2\nr = reshape t rank=2 dim=5,8\nv = fc r w\n"
		"y = reshape v rank=3 dim=5,1,8\noutput y\n"},
	{"a recurrent layer, time first, its state a constant",
		"input x f32[3,1,4]\nparam w f32[20,4]\nparam r f32[20,5]\nparam b f32[20]\nconst h f32[1,5]\na y c = rnn x w r b h time_first=1 act=0,1,1\noutput y\noutput a\noutput c\n"},
	{"a recurrent layer, samples first, its state an input",
		"input x f32[1,3,4]\ninput h f32[1,5]\nparam w f32[15,4]\nparam r f32[15,5]\nparam b f32[15]\na y = rnn x w r b h cell=1 act=0,1,1 reverse=1\noutput y\noutput a\n"},
	{"a shuffle of channels",
		"input x f32[1,2,3,6]\na = reshape x rank=5 dim=1,2,3,2,3\nb = transpose a rank=5 dim=0,1,2,4,3\ny = reshape b rank=4 dim=1,2,3,6\noutput y\n"},
	{"no batch at all",
		"input x f32[3,4,4]\nparam w f32[2,3,3,3]\n"
		"a = reshape x rank=4 dim=1,3,4,4\nb = transpose a rank=4 dim=0,2,3,1\nc = conv b w sh=1 sw=1 dh=1 dw=1 groups=1\ny = reshape c rank=2 dim=4,2\noutput y\n"},
	{"words by their numbers",
		"input x i32[1,5]\nparam e f32[4,3]\nparam w f32[2,15]\na = gather e x\nb = reshape a rank=2 dim=1,15\ny = fc b w\noutput y\n"},
	{"bytes and a constant",
		"input x i8[1,3,4]\nconst k i8[1,1,4]\nconst z i8[1,3,4]\na = qadd x z ma=1048576 mb=524288 sy=21 qlo=-128 qhi=127\nc = concat a k axis=1\n"
		"d = reshape c rank=2 dim=1,16\ny = transpose d rank=2 dim=0,1\noutput y\n"},
};

static cop_graph *parsed(cop_ctx *cx, const struct net *n)
{
	char text[2048];
	cop_graph *g;

	snprintf(text, sizeof text, "graph net\n%s", n->text);
	if (cop_graph_parse(&g, cx, text, strlen(text))) fail_msg("%s: %s", n->name, cop_error_text(cx));
	for (int32_t v = 1; v <= g->n_value; v++) {
		size_t bytes = cop_type_bytes(cop__t(g, (cop_vid)v));
		if (g->value[v].role != COP_CONST && g->value[v].role != COP_PARAM) continue;
		void *data = cop__arena_get(&g->mem, bytes + 64);
		draw(g, (cop_vid)v, data, 0, cop_type_count(cop__t(g, (cop_vid)v)), 100 + (uint32_t)v);
		g->value[v].data = data;
	}
	return g;
}

static void test_networks(void **state)
{
	static const int32_t ways[] = {3, 2, 1};
	cop_ctx *cx = new_ctx();
	(void)state;

	for (int i = 0; i < LEN(nets); i++) {
		cop_graph *g = parsed(cx, &nets[i]), *from = g;
		for (int k = 0; k < LEN(ways); k++) { /* each made from the one before */
			cop_graph *next;
			if (cop__pass_batch(&next, from, ways[k])) fail_msg("%s, %d samples: %s", nets[i].name, ways[k], cop_error_text(cx));
			OK(cx, cop_graph_verify(next));
			compare(cx, g, next, ways[k], nets[i].name);
			if (from != g) cop_graph_free(from);
			from = next;
		}
		cop_graph_free(from);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

/* What no axis can be the batch of, and what a run then holds. */
static void test_refused(void **state)
{
	static const struct net bad = {"", "input x f32[1,4]\nparam w f32[4,4]\na = matmul x w\nb = reduce a axes=3\ny = mul b x\noutput y\n"};
	static const struct net meet = {"", "input x f32[3,4]\na = reduce x fn=1 axes=1 keep=1\ny = sub x a\noutput y\n"};
	cop_ctx *cx = new_ctx();
	cop_graph *g = parsed(cx, &bad), *f;
	int32_t got = 0;
	(void)state;

	assert_int_equal(cop__pass_batch(&f, g, 3), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(cx), "reduce"));
	cop_error_clear(cx);
	OK(cx, cop__batch_for(&f, g, &(cop_sized_args){.n = 3, .each = 4}, &got));
	assert_int_equal(got, 1);
	assert_string_equal(cop_error_text(cx), "");
	compare(cx, g, f, 1, "as it is");
	cop_graph_free(f);
	cop_graph_free(g);
	g = parsed(cx, &meet); /* samples of four numbers would meet in the mean; twelve are one sample */
	assert_int_equal(cop__batch_for(&f, g, &(cop_sized_args){.n = 2, .each = 4}, NULL), COP_SHAPE);
	cop_graph_free(g);
	cop_ctx_free(cx);
}

/* ---- operators ---- */

/* The axis as it stands is taken for a batch of as many samples; then one sample must get the numbers it has in the whole. */
static int check_axis(cop_ctx *cx, cop_graph *g, int32_t axis, const char *what)
{
	cop_graph *many, *one;
	int32_t samples = 0;

	for (int i = 0; i < g->n_input; i++) { /* aligned at the first axis; an input that is too short, or of length 1 there, has none */
		cop_value *x = &g->value[g->input[i]];
		x->lead = x->samples = 0;
		if (axis >= x->type.rank || x->type.dim[axis] < 2 || (samples && x->type.dim[axis] != samples)) return 0;
		samples = x->samples = x->type.dim[axis];
		x->lead = 1;
		for (int k = 0; k < axis; k++) x->lead *= x->type.dim[k];
	}
	if (!samples || cop__pass_batch(&many, g, samples)) return cop_error_clear(cx), 0;
	bool fits = !cop__pass_batch(&one, many, 1); /* those of training hold sizes in their attributes */
	if (fits) compare(cx, one, many, samples, what);
	cop_error_clear(cx);
	cop_graph_free(one);
	cop_graph_free(many);
	return fits;
}

static void test_operators(void **state)
{
	cop_ctx *cx = new_ctx();
	int passed = 0;
	(void)state;

	least = 0.1f;

	for (int op = 1; op < COP_N_OP; op++)
		for (int which = 0;; which++) {
			cop_graph *g;
			cop_nid n;
			OK(cx, cop__graph_new(&g, cx, "op"));
			if (!cop_ops[op]->sample || !(n = cop_ops[op]->sample(g, which))) {
				cop_graph_free(g);
				break;
			}
			bool floats = cop_ops[op]->flags & COP_OP_PURE;
			OK(cx, cop__output(g, cop__res(g, n, 0), "y"));
			for (int32_t axis = 0; floats && axis < COP_MAX_DIM; axis++) passed += check_axis(cx, g, axis, cop_ops[op]->name);
			cop_graph_free(g);
		}
	assert_true(passed > 200);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_networks), cmocka_unit_test(test_refused), cmocka_unit_test(test_operators)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
