/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of recipes, walked: every stage by the runner, kept and undone, with what its row says it needs and leaves; recipes that make no sense;
 * how often a weight is encoded. A new row is tested by being there.
 */
#include "compress/known.h"
#include "compress/layers.h"
#include "io/cop/cop.h"

enum { SIDE = 32, SAMPLES = 64 };

static void fill(float *w, uint32_t stream) /* zero or a half: worth a palette, and to be pruned */
{
	for (int i = 0; i < SIDE * SIDE; i++) w[i] = cop__rand(9, stream, (uint64_t)i) & 1 ? 0.5f : 0.001f * (float)(cop__rand(8, stream, (uint64_t)i) % 3);
}

static cop_vid rectified(cop_graph *g, cop_vid x, const char *name, uint32_t stream)
{
	float w[SIDE * SIDE];
	fill(w, stream);
	return cop__apply(g, OP_clip, &(cop_act_attr){0, COP_NO_HI}, VIDS(known_fc(g, x, name, SIDE, w)));
}

/* Two layers; no sum is negative, so that rectifiers change nothing. more: another layer behind a fork, so that two are left when a stage has made one of two. */
static cop_graph *net_of(cop_ctx *cx, bool more)
{
	cop_type t = cop__type(COP_F32, 2, DIMS(1, SIDE));
	cop_graph *g;
	OK(cx, cop__graph_new(&g, cx, "rows"));
	cop_vid x = rectified(g, rectified(g, cop__input(g, "x", &t), "a.w", 1), "b.w", 2);
	if (more) x = rectified(g, cop__apply(g, OP_add, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, x)), "c.w", 3);
	OK(cx, cop__output(g, x, "y"));
	return g;
}

static cop_graph *net(cop_ctx *cx) { return net_of(cx, false); }

static cop_dataset *samples(known_set *s)
{
	static int32_t label[SAMPLES];
	for (int i = 0; i < SAMPLES; i++) label[i] = i % SIDE;
	return known_samples(s, SAMPLES, SIDE, SIDE, label);
}

/* "- prune: {keep: 0.50005, epochs: 1, ...}": what is needed, and as little training as there can be. */
static void line_of(char *text, size_t size, const cop_stage_row *r, const char *terms)
{
	int n = snprintf(text, size, "- %s: {", r->row.name);

	for (const cop_option *o = r->row.options; o && o->name; o++)
		if (o->needed || (o->kind == COP_RATES && !o->value)) n += snprintf(text + n, size - (size_t)n, "%s: %g, ", o->name, (o->lo + o->hi) / 2);
	if (!strcmp(r->row.name, "adder")) n += snprintf(text + n, size - (size_t)n, "ends: no, layers: b*, "); /* nor do channels before distances go */
	if (!strcmp(r->row.name, "binarize")) n += snprintf(text + n, size - (size_t)n, "ends: no, "); /* the networks here are all ends */
	if (r->training) n += snprintf(text + n, size - (size_t)n, "epochs: 1, lr: 0.001, ");
	snprintf(text + n, size - (size_t)n, "%s}", terms);
}

static cop_status run(cop_graph **g, const char *stages, cop_dataset *d, cop_compress_result *r)
{
	char text[2000];
	int n = snprintf(text, sizeof text, "name: rows\nstages:\n%s\n", stages);
	return cop_compress(g, text, (size_t)n, d, NULL, NULL, &known_args, r, NULL, NULL);
}

/* What a stage is said to have made of the file is what the file becomes, and must_gain is held to that: a little less is kept, a little more undone. */
static void what_it_gains(void **state)
{
	known_set s;
	cop_dataset *d = samples(&s);
	char line[400], terms[80];

	if (!known_parts()) skip();
	for (int i = 0; cop__stages.row(i); i++) {
		const cop_stage_row *r = (const void *)cop__stages.row(i);
		static cop_compress_result result;
		cop_graph *g = net(*state);
		size_t was, is;
		line_of(line, sizeof line, r, "may_cost: 100, must_gain: 0");
		OK(*state, cop__model_size(&was, g));
		OK(*state, run(&g, line, d, &result));
		OK(*state, cop__model_size(&is, g));
		if (r->gives & (COP_HAS_INTEGERS | COP_HAS_CODES)) assert_int_equal(result.stage[0].bytes[1], is);
		else assert_true(result.stage[0].bytes[1] <= is); /* floats are counted in the encoding that is smallest */
		assert_true(result.stage[0].bytes[0] <= was);
		cop_graph_free(g);
		for (int more = 0; more < 2; more++) {
			double gain = (double)result.stage[0].bytes[0] / (double)result.stage[0].bytes[1] * (more ? 1.001 : 0.999);
			static cop_compress_result again;
			snprintf(terms, sizeof terms, "may_cost: 100, must_gain: %.6f", gain);
			line_of(line, sizeof line, r, terms);
			g = net(*state);
			OK(*state, run(&g, line, d, &again));
			if (again.stage[0].kept == more) fail_msg("%s with must_gain %.6f: %s", r->row.name, gain, again.stage[0].why);
			cop_graph_free(g);
		}
	}
}

static void every_stage(void **state)
{
	known_set s;
	cop_dataset *d = samples(&s);
	char line[400];

	if (!known_parts()) skip();
	for (int i = 0; cop__stages.row(i); i++) {
		const cop_stage_row *r = (const void *)cop__stages.row(i);
		cop_compress_result result;
		cop_graph *g = net(*state);
		/* kept */
		line_of(line, sizeof line, r, "may_cost: 100, must_gain: 0");
		OK(*state, run(&g, line, d, &result));
		assert_int_equal(result.n_stage, 1);
		assert_string_equal(result.stage[0].stage, r->row.name);
		assert_true(result.stage[0].kept && !*result.stage[0].why && result.stage[0].bytes[0] > 0 && result.stage[0].bytes[1] > 0);
		uint32_t has = cop__has(g), missing = r->gives & ~COP_HAS_SHARED & ~has, left = r->takes & ~(r->gives) & has;
		if (missing || left) fail_msg("%s: the network lacks %#x of what it gives, and has %#x of what it takes", r->row.name, missing, left);
		cop_graph_free(g);
		/* undone */
		line_of(line, sizeof line, r, "may_cost: 100, must_gain: 1000000");
		cop_graph *was = net(*state);
		g = net(*state);
		OK(*state, run(&g, line, d, &result));
		assert_true(!result.stage[0].kept && strstr(result.stage[0].why, "1000000.00 were asked"));
		assert_int_equal(cop__has(g), COP_HAS_FLOATS);
		known_is(g, "a.w", cop__floats(was, cop__find(was, "a.w")), SIDE * SIDE, r->row.name);
		known_is(g, "b.w", cop__floats(was, cop__find(was, "b.w")), SIDE * SIDE, r->row.name);
		cop_graph_free(was);
		cop_graph_free(g);
	}
}

/* After each stage come those that its row lets come, and no others: told before a sample is looked at. */
static void every_pair(void **state)
{
	static cop_recipe recipe;
	known_set s;
	cop_dataset *d = samples(&s);
	char one[400], two[400], both[900];

	if (!known_parts()) skip();
	for (int i = 0; cop__stages.row(i); i++)
		for (int k = 0; cop__stages.row(k); k++) {
			const cop_stage_row *a = (const void *)cop__stages.row(i), *b = (const void *)cop__stages.row(k);
			uint32_t has = (COP_HAS_FLOATS & ~a->takes) | a->gives;
			cop_graph *g = net_of(*state, true), *was = g;
			line_of(one, sizeof one, a, "may_cost: 100, must_gain: 0");
			line_of(two, sizeof two, b, "may_cost: 100, must_gain: 0");
			int n = snprintf(both, sizeof both, "stages:\n%s", two);
			OK(*state, cop__recipe_parse(&recipe, *state, both, (size_t)n));
			bool senseless = (cop__stage_never(&recipe.stage[0]) & has) || (b->needs & ~has);
			snprintf(both, sizeof both, "%s\n%s", one, two);
			s.gets = 0;
			cop_status st = run(&g, both, d, NULL);
			const char *said = cop_error_text(*state);
			if (senseless != (st == COP_ARG)) fail_msg("%s, then %s: %s", a->row.name, b->row.name, said);
			if (senseless && (s.gets || g != was || !strstr(said, "line 4") || !strstr(said, b->row.name) || !strstr(said, a->row.name) || !strstr(said, "put it before")))
				fail_msg("%s, then %s: %s, after %d samples", a->row.name, b->row.name, said, s.gets);
			if (!senseless) OK(*state, st);
			cop_error_clear(*state);
			cop_graph_free(g);
		}
}

/* What can't be trained on says which weight it is and what to do. */
static void never_trained_on(void **state)
{
	static const struct { const char *stage, *says; } rows[] = {
		{"- encode: {may_cost: 100, must_gain: 0}", "training: 'a.w' is encoded ("},
		{"- quantize: {may_cost: 100, must_gain: 0}", "training: this is a network of integers, and layers=* names no weight or bias of it that was made trainable"},
	};
	known_set s;
	cop_dataset *d = samples(&s);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state);
		OK(*state, run(&g, rows[i].stage, d, NULL));
		if (cop_train(g, d, d, &known_args) != COP_ARG || !strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", rows[i].stage, cop_error_text(*state));
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

static void senseless(void **state)
{
	static const struct { const char *stages, *says; } rows[] = {
		{"- encode: {}\n- train: {}", "line 4: train can't work on a network with encoded weights, which it has after encode in line 3; put it before"},
		{"- quantize: {}\n- prune: {keep: 0.5}", "line 4: prune can't work on a network with integers, which it has after quantize in line 3; put it before"},
		{"- quantize: {}\n- share: {}", "line 4: share can't work on a network with integers"},
		{"- quantize: {}\n- quantize: {}", "line 4: quantize can't work on a network with integers"},
		{"- quantize: {}\n- encode: {}", "line 4: encode needs weights made of floats, which the network does not have after quantize in line 3; put it before"},
		{"- train: {}\n- encode: {}\n- share: {}", "line 5: share can't work on a network with encoded weights, which it has after encode in line 4"},
		{"- prune: {keep: 0.5, schedule: once, every: 3}", "line 3: prune: there is no option 'every'; it takes keep, what, by, scope, schedule, samples, train, epochs"},
		{"- prune: {keep: 0.5, block: 3}", "there is no option 'block'"},
		{"- prune: {keep: 0.5, what: block, block: 1}", "line 3: prune: block must be a whole number from 2 to 4096, not 1"},
		{"- prune: {keep: 0.5, rounds: 3}", "there is no option 'rounds'"},
		{"- prune: {keep: 0.5, what: kernel}", "prune: what: kernel: 'a.w' is no filter of a convolution"},
		{"- encode: {epochs: 3}", "line 3: encode: there is no option 'epochs'; it takes codec, layers, may_cost, must_gain"},
		{"- quantize: {layers: a.w}", "line 3: quantize: there is no option 'layers'"},
		{"- prune: {keep: 0.5, keep: 0.25}", "line 3: prune: keep is given twice"},
		{"- prune: {keep: {}}", "line 3: prune: keep: the map is empty"},
		{"- prune: {by: {a.w: l2}, keep: 1}", "line 3: prune: by takes one value, not one for each pattern"},
	};
	known_set s;
	cop_dataset *d = samples(&s);

	if (!known_parts()) skip();
	for (int i = 0; i < LEN(rows); i++) {
		cop_graph *g = net(*state), *was = g;
		s.gets = 0;
		if (run(&g, rows[i].stages, d, NULL) != COP_ARG || !strstr(cop_error_text(*state), rows[i].says)) fail_msg("%s: %s", rows[i].stages, cop_error_text(*state));
		assert_true(g == was);
		if (!strstr(rows[i].says, "what: kernel")) assert_int_equal(s.gets, 0);
		cop_error_clear(*state);
		cop_graph_free(g);
	}
	/* what is kept in float can be encoded, and an encoded network quantised */
	static const char *const good[] = {"- quantize: {keep: b.w, may_cost: 100}\n- encode: {layers: b.w, may_cost: 100, must_gain: 0}", "- encode: {must_gain: 0}\n- quantize: {may_cost: 100, must_gain: 0}"};
	for (int i = 0; i < LEN(good); i++) {
		cop_graph *g = net(*state);
		OK(*state, run(&g, good[i], d, NULL));
		cop_graph_free(g);
	}
}

/* A network that comes encoded or quantised: the sentence does not blame a stage. */
static void as_it_comes(void **state)
{
	known_set s;
	cop_dataset *d = samples(&s);
	cop_graph *g = net(*state);

	if (!known_parts()) skip();
	OK(*state, run(&g, "- encode: {must_gain: 0}", d, NULL));
	assert_int_equal(run(&g, "- prune: {keep: 0.5}", d, NULL), COP_ARG);
	assert_string_equal(cop_error_text(*state), "recipe, line 3: prune can't work on a network with encoded weights, which it has already; the pass `decode` makes plain numbers of them (coppice apply NET decode -o PLAIN)");
	cop_error_clear(*state);
	assert_int_equal(run(&g, "- encode: {}", d, NULL), COP_ARG);
	assert_string_equal(cop_error_text(*state), "recipe, line 3: encode needs weights made of floats, which the network does not have");
	cop_error_clear(*state);
	cop_graph_free(g);
	g = net(*state);
	OK(*state, run(&g, "- quantize: {may_cost: 100, must_gain: 0}", d, NULL));
	assert_int_equal(run(&g, "- prune: {keep: 0.5}", d, NULL), COP_ARG);
	assert_string_equal(cop_error_text(*state), "recipe, line 3: prune can't work on a network with integers, which it has already; the pass `floats` makes floats of them that can be trained (coppice apply NET floats -o FLOATS)");
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* A weight that only a product of two results reads: it can be pruned, not encoded, and not quantised; the sentences say so. */
static void why_not(void **state)
{
	static float w[16] = {1, 2, 0, 0, 1};
	cop_type t = cop__type(COP_F32, 2, DIMS(4, 4));
	known_set s;
	cop_graph *g;
	cop_why why = {""};

	if (!known_parts()) skip();
	OK(*state, cop__graph_new(&g, *state, "product"));
	cop_vid x = cop__input(g, "x", &t), v = cop__data(g, COP_PARAM, "w", &t, w);
	static const cop_act_attr none = {COP_NO_LO, COP_NO_HI};
	OK(*state, cop__output(g, cop__apply(g, OP_fc, &none, VIDS(v, x)), "y")); /* the weight where the samples belong */
	assert_true(cop__can_change(g, v, &why) && !*why.text);
	assert_false(cop__can_encode(g, v, &why));
	assert_string_equal(why.text, "'w' is not read encoded by fc");
	cop_dataset *d = known_samples(&s, 4, 4, 0, NULL);
	assert_int_equal(run(&g, "- encode: {}", d, NULL), COP_ARG);
	assert_string_equal(cop_error_text(*state), "recipe, line 3: encode: layers: '*' matches no weight that it can work on: 'w' is not read encoded by fc");
	cop_error_clear(*state);
	cop_graph_free(g);
}

/* Deep compression encodes a weight once for each of its contents: pruned, and shared. */
static void encoded_twice(void **state)
{
	static const char stages[] = "- prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100, must_gain: 0}\n- share: {levels: 8, epochs: 1, may_cost: 100, must_gain: 0}\n- encode: {may_cost: 100}";
	known_set s;
	cop_dataset *d = samples(&s);
	cop_compress_result r;
	cop_graph *g;

	if (!known_parts()) skip();
	OK(*state, cop_zoo_build(&g, *state, "mlp-32x64x32", &(cop_zoo_args){.seed = 3, .classes = 32})); /* no two weights alike */
	OK(*state, run(&g, stages, d, &r));
	assert_int_equal(r.n_stage, 3);
	assert_int_equal(r.weights, 2);
	if (r.encoded > 2 * r.weights) fail_msg("%d weights were encoded %d times", r.weights, r.encoded);
	assert_true(r.encoded > 0 && r.stage[0].kept && r.stage[1].kept && r.stage[2].kept);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(every_stage), KNOWN_TEST(what_it_gains), KNOWN_TEST(every_pair), KNOWN_TEST(senseless), KNOWN_TEST(never_trained_on), KNOWN_TEST(as_it_comes), KNOWN_TEST(why_not), KNOWN_TEST(encoded_twice)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
