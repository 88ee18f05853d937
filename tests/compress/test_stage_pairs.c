/* SPDX-License-Identifier: Apache-2.0
 *
 * Every stage after every other, on two networks that really train: fully connected layers, and convolutions with batch norm. Either the recipe is refused before any work, or what the first stage has made is
 * there after the second: weights that it has put to zero, the few values that it has left.
 */
#include "compress/known.h"
#include "compress/encodings.h"
#include "pass/pass.h"

enum { INPUTS = 64, SAMPLES = 48, CLASSES = 8, FEW = 24 };

#define TRAINS "epochs: 1, lr: 0.05"

/* makes: what it leaves on purpose. keeps: what of that is there behind it, whatever came before. follows: it may stand behind share, steps and shift. */
enum { ZEROS = 1, VALUES = 2, BOTH = ZEROS | VALUES };
static const struct { const char *text; int makes, keeps; bool follows; } forms[] = {
	{"prune: {keep: 0.5, schedule: once, " TRAINS "}", ZEROS, BOTH, false},
	{"prune: {keep: 0.5, schedule: cubic, what: channel, " TRAINS "}", ZEROS, BOTH, false},
	{"prune: {keep: 0.5, schedule: once, by: obc, samples: 32, train: no}", ZEROS, BOTH, false},
	{"prune: {keep: 0.5, schedule: once, train: no}", ZEROS, BOTH, true},
	{"slim: {}", 0, BOTH, true},
	{"slim: {macs: 0.6, least: 0, round: 1, " TRAINS "}", 0, BOTH, false},
	{"similar: {keep: 0.7}", 0, BOTH, false},
	{"early-bird: {keep: 0.6, " TRAINS "}", 0, BOTH, false},
	{"entropy: {" TRAINS "}", ZEROS, BOTH, false},
	{"straight: {" TRAINS "}", 0, BOTH, false},
	{"fold: {}", 0, VALUES, false}, /* products of layers */
	{"fold: {" TRAINS "}", 0, VALUES, false},
	{"shorten: {samples: 16, " TRAINS "}", 0, BOTH, false},
	{"drr: {alpha: 1e-6, tolerance: 0.001, " TRAINS "}", ZEROS, BOTH, false},
	{"steps: {" TRAINS "}", VALUES, ZEROS, true},
	{"steps: {layers: fc1*, " TRAINS "}", VALUES, BOTH, false},
	{"share: {levels: 8}", VALUES, BOTH, true},
	{"share: {levels: 8, " TRAINS "}", VALUES, BOTH, true},
	{"share: {levels: 8, layers: fc1*, " TRAINS "}", VALUES, BOTH, false},
	{"share: {levels: 8, layers: fc1*}", VALUES, BOTH, true},
	{"shift: {}", VALUES, ZEROS, true},
	{"shift: {apart: yes, " TRAINS "}", VALUES, ZEROS, true},
	{"encode: {}", 0, BOTH, true},
	{"train: {" TRAINS "}", 0, BOTH, false},
	{"quantize: {}", 0, 0, true},
	{"qat: {" TRAINS "}", 0, 0, false},
	{"qat: {integers: no, weights: 4, " TRAINS "}", 0, ZEROS, false},
	{"binarize: {" TRAINS "}", 0, 0, false},
	{"binarize: {bits: no, " TRAINS "}", 0, 0, false},
	{"binarize: {weights: ternary, activations: real, ends: no, " TRAINS "}", 0, 0, false},
	{"adder: {}", 0, 0, false}, /* layers times a matrix */
	{"adder: {pair: no, " TRAINS "}", 0, 0, false},
	{"adder: {start: random, size: 3, " TRAINS "}", 0, 0, false},
};

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const known_set *s = ud;

	for (uint32_t k = 0; k < INPUTS; k++) x[k] = cop__rand_unit(4, (uint32_t)i % CLASSES, k) + 0.2f * cop__rand_unit(5, (uint32_t)i, k);
	*label = s->label[i];
	return COP_OK;
}

/* Samples for net `which`, and the network, which knows them, so that no stage finds it worthless. The first one's rectifiers never switch at first, so
 * that there is something to fold. */
static cop_graph *trained(cop_ctx *cx, known_set *s, int which)
{
	static const char text[] = "input 8 8 1\nconv 4 3x3 norm relu\nconv 6 3x3 stride 2 norm relu\ndepthwise 3x3 norm relu\nflatten\nfc1 = fc 12 relu\nfc 8\n";
	static int32_t label[SAMPLES];
	cop_train_args a = known_args;
	cop_graph *g;

	for (int i = 0; i < SAMPLES; i++) label[i] = i % CLASSES;
	known_samples(s, SAMPLES, INPUTS, CLASSES, label);
	s->d.get = get;
	a.epochs = 20, a.lr = 0.005f, a.update = "adam";
	if (which) {
		s->d.x = cop__type(COP_F32, 3, DIMS(8, 8, 1));
		OK(cx, cop_network_read(&g, cx, "net", text, strlen(text), CLASSES));
	} else {
		OK(cx, cop_zoo_build(&g, cx, "mlp-64x24x16x8", &(cop_zoo_args){.seed = 3, .classes = CLASSES}));
		float *bias = cop__own(g, cop__find(g, "fc1.b"));
		for (int i = 0; i < 24; i++) bias[i] = 3;
	}
	OK(cx, cop_train(g, &s->d, NULL, &a));
	return g;
}

static void parse(cop_ctx *cx, cop_recipe *r, const char *first, const char *second)
{
	char text[600];
	int n = snprintf(text, sizeof text, "name: pair\nstages:\n  - %s\n%s%s\n", first, second ? "  - " : "", second ? second : "");
	OK(cx, cop__recipe_parse(r, cx, text, (size_t)n));
}

static cop_status work(cop_graph **g, const cop_stage *s, cop_dataset *d)
{
	cop_train_args a = known_args;
	cop_encodings e;
	cop_means m = {.train = d, .valid = d, .a = &a, .encodings = &e};

	cop__encodings_begin(&e, (*g)->cx);
	cop_status st = s->row->run(g, s, &m);
	cop__encodings_free(&e);
	return st;
}

static int distinct(const float *w, int64_t n)
{
	int many = 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t k = 0;
		while (k < i && (w[k] < w[i] || w[k] > w[i])) k++;
		many += k == i;
	}
	return many;
}

/* Under a mask there are zeros. */
static void masked(const cop_graph *g, const char *what)
{
	for (int32_t v = 1; v <= g->n_value; v++) {
		cop_vid m = cop__follower(g, (cop_vid)v, "mask");
		const float *w = m ? cop__floats(g, (cop_vid)v) : NULL, *mask = m ? cop__floats(g, m) : NULL;
		for (int64_t i = 0; w && mask && i < cop_type_count(cop__t(g, m)); i++)
			if (mask[i] == 0 && w[i] != 0) fail_msg("%s: element %lld of %s is masked, and %g", what, (long long)i, g->value[v].name, (double)w[i]);
	}
}

/* b follows a. A weight that has become narrower is looked at for its values alone. */
static void compare(const cop_graph *a, const cop_graph *b, int keeps, const char *what)
{
	static float x[1 << 13], y[1 << 13];

	for (int32_t v = 1; v <= a->n_value; v++) {
		cop_vid w = a->value[v].name && cop__t(a, (cop_vid)v)->rank > 1 && a->value[v].role == COP_PARAM ? cop__find(b, a->value[v].name) : 0;
		if (!w || cop__t(b, w)->dtype != COP_F32 || cop__t(a, (cop_vid)v)->dtype != COP_F32) continue;
		int64_t n = cop_type_count(cop__t(a, (cop_vid)v)), m = cop_type_count(cop__t(b, w)), lost = 0;
		known_weight(x, a, a->value[v].name);
		known_weight(y, b, a->value[v].name);
		for (int64_t i = 0; n == m && i < n; i++) lost += x[i] == 0 && y[i] != 0;
		if (keeps & ZEROS && lost) fail_msg("%s: %lld zeros of %s are lost", what, (long long)lost, a->value[v].name);
		if (keeps & VALUES && distinct(x, n) <= FEW && distinct(y, m) > FEW) fail_msg("%s: %s had %d values, and has %d", what, a->value[v].name, distinct(x, n), distinct(y, m));
	}
}

static void every_pair(cop_ctx *cx, int which)
{
	static cop_recipe r;
	known_set s;
	char what[400];

	cop_graph *whole = trained(cx, &s, which);
	cop_dataset *d = &s.d;
	for (int i = 0; i < LEN(forms); i++) {
		cop_graph *first;
		int done = 0;
		OK(cx, cop__pass_copy(&first, whole));
		parse(cx, &r, forms[i].text, NULL);
		OK(cx, work(&first, &r.stage[0], d));
		for (int k = 0; k < LEN(forms); k++) {
			cop_graph *then;
			snprintf(what, sizeof what, "%s, then %s", forms[i].text, forms[k].text);
			parse(cx, &r, forms[i].text, forms[k].text);
			cop_status st = cop__recipe_fits(&r, whole);
			if (st) {
				if (forms[i].makes == VALUES && forms[k].follows) fail_msg("%s: %s", what, cop_error_text(cx));
				if (!strstr(cop_error_text(cx), "line 4") || !strstr(cop_error_text(cx), "put it before")) fail_msg("%s: %s", what, cop_error_text(cx));
				cop_error_clear(cx);
				continue;
			}
			OK(cx, cop__pass_copy(&then, first));
			if ((st = work(&then, &r.stage[1], d))) { /* fewer layers may be too few, or have other names: a sentence says so */
				if (forms[i].makes || st != COP_ARG || !*cop_error_text(cx)) fail_msg("%s: %s", what, cop_error_text(cx));
				cop_error_clear(cx);
			} else masked(then, what), compare(first, then, forms[i].makes & forms[k].keeps, what);
			cop_graph_free(then);
			done++;
		}
		const cop_stage_row *row = r.stage[0].row;
		/* behind integers there is only more training of them */
		bool last = (row->given ? row->given(r.stage[0].own.bytes) : row->gives) & COP_HAS_INTEGERS;
		if (last ? done != 2 : done < 2) fail_msg("behind %s %d stages can work", forms[i].text, done);
		cop_graph_free(first);
	}
	cop_graph_free(whole);
}

static void neurons(void **state)
{
	if (!known_parts()) skip();
	every_pair(*state, 0);
}

static void pictures(void **state)
{
	if (!known_parts()) skip();
	every_pair(*state, 1);
}

static void every_stage_has_a_line(void **state)
{
	(void)state;
	for (int i = 0; cop__stages.row(i); i++) {
		const char *name = cop__stages.row(i)->name;
		int k = 0;
		while (k < LEN(forms) && (strncmp(forms[k].text, name, strlen(name)) || forms[k].text[strlen(name)] != ':')) k++;
		if (k == LEN(forms)) fail_msg("%s has no line in the table above", name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(every_stage_has_a_line), KNOWN_TEST(neurons), KNOWN_TEST(pictures)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
