/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with a recipe is said in one sentence with its line, before any work, and the network stays as it was.
 */
#include "compress/known.h"

static const float weights[8] = {8, -7, 1, 2, -6, 5, 4, 3}, more[4] = {1, 2, 3, 4};
static const int32_t labels[4] = {0, 1, 1, 1};

static const char head[] = "name: r\nstages:\n";

/* text: of the stages, from line 3 on, or with a line end in front the whole recipe. */
#define W "01234567890123456789012345678901234567890123456789012345678901"
static const struct { const char *text, *says; } bad[] = {
	/* the document */
	{"\n", "recipe"},
	{"\n- prune: {keep: 0.5}\n", "name and stages"},
	{"\nname: r\n", "no stages"},
	{"\nname: r\nstages: []\n", "no stages"},
	{"\nname: r\nstages: prune\n", "line 3: stages must be a list"},
	{"\nname: r\nstages:\n  prune: {keep: 0.5}\n", "line 4: stages must be a list"},
	{"\nname: r\nstage:\n- train: {epochs: 1}\n", "line 3: unknown key 'stage'"},
	{"\nname: [a, b]\nstages:\n- train: {}\n", "line 2: name must be a text"},
	{"\nname: 0123456789012345678901234567890123456789012345678901234567890123\nstages:\n- train: {}\n", "line 2: name must be a text of fewer than 64 characters"},
	{"- prune: {keep: 0.5\n- encode: {}\n", "line 4"},
	{"- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n"
	 "- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n", "more than 16 stages"},
	{"\norder: best\nstages:\n- train: {}\n", "line 2: order must be written or search"},
	{"\norder: [search]\nstages:\n- train: {}\n", "line 2: order must be written or search"},
	{"\nordr: search\nstages:\n- train: {}\n", "did you mean 'order'?"},
	{"\nmax_drop: 1\nstages:\n- train: {}\n", "max_drop chooses among orders and needs order: search"},
	{"\norder: search\nmax_drop: -1\nstages:\n- train: {}\n", "line 3: max_drop must be a number from 0 to 100"},
	{"\norder: search\nmax_drop: 100.5\nstages:\n- train: {}\n", "line 3: max_drop must be a number from 0 to 100"},
	{"\norder: search\nmax_drop: 1x\nstages:\n- train: {}\n", "line 3: max_drop must be a number from 0 to 100"},
	{"\norder: search\nmax_drop: nan\nstages:\n- train: {}\n", "line 3: max_drop must be a number from 0 to 100"},
	{"\norder: search\nmax_drop: [1]\nstages:\n- train: {}\n", "line 3: max_drop must be a number from 0 to 100"},
	/* a stage */
	{"- prun: {keep: 0.5}\n", "line 3: there is no stage 'prun'; there are prune, "},
	{"- encode: {}\n- prun: {keep: 0.5}\n", "did you mean 'prune'?"},
	{"- encode: {}\n\n- prun: {keep: 0.5}\n", "line 5"},
	{"- encode\n", "line 3: a stage is one name with its options"},
	{"- {encode: {}, train: {}}\n", "line 3: a stage is one name with its options"},
	{"- encode: raw\n", "line 3: the options of encode must be a map"},
	{"- prune: {every: 3}\n", "line 3: prune: keep is missing: the part that stays"},
	{"- prune:\n    every: 3\n    keep: {a.w: 0.5, b.w: 0.25}\n", "line 3: prune: scope: global has one keep for all"},
	{"- prune: {keep: {a.w: 0.5}}\n", "line 3: prune: scope: global has one keep for all"},
	/* an option of another stage, or of none */
	{"- prune:\n    keep: 0.5\n    colour: red\n", "line 5: prune: there is no option 'colour'; it takes keep, what, by, scope, schedule, samples, train, over, every, epochs, lr, update, layers, may_cost, must_gain"},
	{"- prune:\n    keep: 0.5\n    evry: 3\n", "did you mean 'every'?"},
	{"- prune: {keep: 0.5, levels: 3}\n", "line 3: prune: there is no option 'levels'"},
	{"- share: {keep: 0.5}\n", "line 3: share: there is no option 'keep'"},
	{"- train: {codec: raw}\n", "line 3: train: there is no option 'codec'"},
	{"- encode: {scheme: w8}\n", "line 3: encode: there is no option 'scheme'"},
	{"- quantize: {by: random}\n", "line 3: quantize: there is no option 'by'"},
	{"- quantize: {levels: 3}\n", "line 3: quantize: there is no option 'levels'"},
	{"- train: {[a]: 1}\n", "line 3: train: an option's name was expected"},
	/* values */
	{"- prune: {keep: half}\n", "line 3: prune: keep must be a number, or patterns with a number each, from 0.0001 to 1, not half"},
	{"- prune: {keep: 0}\n", "line 3: prune: keep must be a number, or patterns with a number each, from 0.0001 to 1, not 0"},
	{"- prune: {keep: 1.5}\n", "line 3: prune: keep must be a number, or patterns with a number each, from 0.0001 to 1, not 1.5"},
	{"- prune: {keep: nan}\n", "line 3: prune: keep must be a number, or"},
	{"- prune: {keep: 0.5x}\n", "line 3: prune: keep must be a number, or"},
	{"- prune: {keep: ''}\n", "line 3: prune: keep must be a number, or"},
	{"- prune: {keep: [0.5]}\n", "line 3: prune: keep takes one value, not a list"},
	{"- prune:\n    scope: layer\n    keep:\n      a.w: 0.5\n      b.w: 2\n", "line 7: prune: keep: b.w must be a number from 0.0001 to 1, not 2"},
	{"- prune: {keep: 0.5, over: 1.1}\n", "line 3: prune: over must be a number from 0 to 1, not 1.1"},
	{"- prune: {keep: 0.5, over: -0.1}\n", "line 3: prune: over must be"},
	{"- prune: {keep: 0.5, every: 0}\n", "line 3: prune: every must be a whole number from 1 to 1000000, not 0"},
	{"- prune: {keep: 0.5, every: 1.5}\n", "line 3: prune: every must be a whole number"},
	{"- prune: {keep: 0.5, by: size}\n", "line 3: prune: by must be one of magnitude, l2, lamp, random, movement, movement-soft"},
	{"- prune: {keep: 0.5, by: 'a|random'}\n", "line 3: prune: by must be one of"},
	{"- prune: {keep: 0.5, scope: '*'}\n", "line 3: prune: scope must be one of global, layer"},
	{"- prune: {keep: 0.5, schedule: cosine}\n", "line 3: prune: schedule must be one of cubic, once, iterative"},
	{"- share: {levels: 1}\n", "line 3: share: levels must be a number, or patterns with a number each, from 2 to 256, not 1"},
	{"- shift: {exponents: 0}\n", "line 3: shift: exponents must be a whole number from 1 to 7, not 0"},
	{"- shift: {exponents: 8}\n", "line 3: shift: exponents must be a whole number from 1 to 7, not 8"},
	{"- share: {levels: 257}\n", "line 3: share: levels must be a number, or patterns with a number each, from 2 to 256, not 257"},
	{"- share:\n    levels:\n      a.w: 300\n", "line 5: share: levels: a.w must be a number from 2 to 256, not 300"},
	{"- encode: {codec: zip}\n", "line 3: encode: codec must be one of smallest, huffman, range, raw"},
	{"- train: {epochs: -1}\n", "line 3: train: epochs must be a whole number from 0 to 100000, not -1"},
	{"- train: {epochs: 100001}\n", "line 3: train: epochs must be"},
	{"- train: {epochs: 0.5}\n", "line 3: train: epochs must be a whole number"},
	{"- train: {lr: -0.1}\n", "line 3: train: lr must be a number from 0 to 1000, not -0.1"},
	{"- train: {lr: 1001}\n", "line 3: train: lr must be"},
	{"- train: {may_cost: 101}\n", "line 3: train: may_cost must be a number from -100 to 100, not 101"},
	{"- train: {must_gain: -1}\n", "line 3: train: must_gain must be a number from 0 to 1000000, not -1"},
	{"- train: {update: [sgd]}\n", "line 3: train: update takes one value, not a list"},
	{"- train: {update: '" W W W W W "'}\n", "line 3: train: update must be a text of fewer than 256 characters"},
	{"- quantize: {scheme: w5a8}\n", "line 3: quantize: scheme must be one of w8a8, w4a8, w3a8, w2a8, w4a4, w2a4, w8a16, w8, fp16"},
	{"- quantize: {range: wide}\n", "line 3: quantize: range must be one of"},
	{"- quantize: {per: row}\n", "line 3: quantize: per must be one of channel, tensor"},
	{"- quantize: {round: up}\n", "line 3: quantize: round must be one of auto, nearest, gptq, adaround, block, qdrop"},
	{"- quantize: {symmetric: perhaps}\n", "line 3: quantize: symmetric must be yes or no, not perhaps"},
	{"- quantize: {limit: -1}\n", "line 3: quantize: limit must be"},
	{"- quantize: {max_drop: -1}\n", "line 3: quantize: max_drop must be a number from 0 to 100, not -1"},
	{"- quantize: {max_drop: 101}\n", "line 3: quantize: max_drop must be"},
	/* patterns */
	{"- train: {}\n- prune: {keep: 0.5, layers: conv*}\n", "line 4: prune: layers: 'conv*' matches no weight of the network; they are called: a.w b.w"},
	{"- share:\n    levels: {a.w: 3, c.w: 4}\n", "line 3: share: levels: the rate of 'c.w' matches no weight"},
	{"- quantize: {keep: fc1.w}\n", "line 3: quantize: keep: 'fc1.w' matches no weight"},
	{"- encode: {layers: a.x}\n", "did you mean 'a.w'?"},
};

static void sentences(void **state)
{
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, labels);
	char text[2000];

	if (!has_part("yaml")) skip();
	for (int i = 0; i < LEN(bad); i++) {
		cop_graph *g = known_net(*state, 4, 2, weights, 2, more), *was = g;
		const char *t = bad[i].text;
		int n = snprintf(text, sizeof text, "%s%s", *t == '\n' ? "" : head, t);
		cop_status st = cop_compress(&g, text, (size_t)n, d, d, d, &known_args, NULL, NULL, NULL);
		if (st != COP_ARG || !strstr(cop_error_text(*state), bad[i].says)) fail_msg("%s: %s, %s", text, cop_status_text(st), cop_error_text(*state));
		assert_true(g == was && !s.gets);
		known_is(g, "a.w", weights, 8, text);
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

/* The ends of every range are within it. */
static void limits(void **state)
{
	static const char *const good[] = {
		"- prune: {keep: 0.0001, over: 0, every: 1, epochs: 1, may_cost: -100, must_gain: 0, lr: 0}", "- prune: {keep: 1, over: 1, every: 1000000, epochs: 1, may_cost: 100, must_gain: 1000000, lr: 1000}",
		"- prune: {keep: 0.5, by: magnitude, scope: global, schedule: cubic, epochs: 1}", "- share: {levels: 2, epochs: 0}", "- share: {levels: 256}",
		"- train: {update: sgd}", "- quantize: {limit: 0, max_drop: 100}", "- quantize: {limit: 1000000, max_drop: 0}",
		"- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}\n- train: {}",
		"- prune: {rounds: 3, block: 2, schedule: iterative, what: block, keep: 0.5, epochs: 1, must_gain: 0}", /* an option in front of what it belongs to */
		"- share: {levels: {a: 2, b: 2, c: 2, d: 2, e: 2, f: 2, g: 2, h: 2, i: 2, j: 2, k: 2, l: 2, m: 2, n: 2, o: 2, p: 2}}",
	};
	known_set s;
	cop_dataset *d = known_samples(&s, 4, 4, 2, labels);

	if (!has_part("yaml")) skip();
	for (int i = 0; i < LEN(good); i++) {
		cop_graph *g = known_net(*state, 4, 2, weights, 2, more);
		cop_status st = known_compress(&g, good[i], d, d, d, &known_args, NULL);
		if (i == LEN(good) - 1) { /* sixteen rates are read: only then their names are looked up */
			assert_non_null(strstr(cop_error_text(*state), "'a' matches no weight"));
			cop_error_clear(*state);
		} else if (st && st != COP_DIVERGED) {
			fail_msg("%s: %s", good[i], cop_error_text(*state));
		}
		cop_error_clear(*state);
		cop_graph_free(g);
	}
}

/* A pattern has to match a weight: one of two or more axes. Of many names those that fit into the sentence are told. */
static void names_told(void **state)
{
	float w[4] = {1, 2, 3, 4};
	cop_type t = cop__type(COP_F32, 2, DIMS(1, 2)), square = cop__type(COP_F32, 2, DIMS(2, 2)), bias = cop__type(COP_F32, 1, DIMS(2));
	char name[64];
	cop_graph *g;
	known_set s;
	cop_dataset *d = known_samples(&s, 2, 2, 2, labels);

	if (!has_part("yaml")) skip();
	OK(*state, cop__graph_new(&g, *state, "many"));
	cop_vid x = cop__input(g, "x", &t);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "layer%02d.weight", i);
		cop_vid v = cop__data(g, COP_PARAM, name, &square, w);
		snprintf(name, sizeof name, "layer%02d.bias", i);
		x = cop__apply(g, OP_fc, &(cop_act_attr){COP_NO_LO, COP_NO_HI}, VIDS(x, v, cop__data(g, COP_PARAM, name, &bias, w)));
	}
	OK(*state, cop__output(g, x, "y"));
	assert_int_equal(known_compress(&g, "- share: {layers: 'layer*.bias'}", d, NULL, NULL, &known_args, NULL), COP_ARG);
	const char *told = cop_error_text(*state);
	if (!strstr(told, "they are called: layer00.weight layer01.weight ") || !strstr(told, "layer07.weight") || strstr(told, "layer12.weight") || !strstr(told, " ...") || strstr(told, "... ..."))
		fail_msg("%s", told);
	cop_error_clear(*state);
	cop_graph_free(g);
	OK(*state, cop__graph_new(&g, *state, "none"));
	OK(*state, cop__output(g, cop__apply(g, OP_clip, &(cop_act_attr){0, 1}, VIDS(cop__input(g, "x", &t))), "y"));
	assert_int_equal(known_compress(&g, "- encode: {}", d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "encode needs weights made of floats, which the network does not have"));
	cop_error_clear(*state);
	assert_int_equal(known_compress(&g, "- quantize: {keep: a}", d, NULL, NULL, &known_args, NULL), COP_ARG);
	assert_non_null(strstr(cop_error_text(*state), "(it has none)"));
	cop_error_clear(*state);
	cop_graph_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(sentences), KNOWN_TEST(limits), KNOWN_TEST(names_told)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
