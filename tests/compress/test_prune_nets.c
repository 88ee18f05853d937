/* SPDX-License-Identifier: Apache-2.0
 *
 * What pruning removes and by which score, on networks of the zoo, on one that went through an ONNX file, and on those of others that are there: each pair
 * works or is refused with the reason, and the pairs that make sense for a network work.
 */
#include "compress/known.h"
#include "compress/prune/score.h"

#include <unistd.h>

typedef struct net {
	const char *name, *cannot; /* cannot: words, "grain" or "score" or "grain/score", that make no sense for it */
	int32_t size;
	bool import;               /* written to ONNX and read back */
} net;

#define OUTPUTS "activation zeros entropy taylor-activation bn-scale"
static const net nets[] = {
	{"mlp-12x8x3", "kernel head layer bn-scale", 0, false},
	{"lenet-5", "head layer bn-scale", 0, false},
	{"resnet-8", "head", 8, false},
	{"resnet-8", "head bn-scale", 8, true}, /* the deployed form: batch norm is folded */
	{"ds-cnn", "head layer", 0, false},
	{"mlperf-tiny/image_classification/pretrainedResnet.tflite", "head bn-scale", 0, false},
	{"mlperf-tiny/keyword_spotting/kws_ref_model_float32.tflite", "head layer bn-scale", 0, false},
	{"onnx/onnx2c/mnist_pytorch.onnx", "kernel head layer bn-scale", 0, false},
};

static cop_graph *load(cop_ctx *cx, const net *n)
{
	const char *models = getenv("COPPICE_MODELS");
	char path[400];
	cop_zoo_args a = {.batch = 1, .height = n->size, .width = n->size, .seed = 3};
	cop_graph *g;

	if (strchr(n->name, '/')) {
		snprintf(path, sizeof path, "%s/%s", models ? models : "", n->name);
		if (!cop_model_load(&g, cx, path)) return g;
		cop_error_clear(cx);
		print_message("skipped: COPPICE_MODELS has no %s\n", n->name);
		return NULL;
	}
	OK(cx, cop_zoo_build(&g, cx, n->name, &a));
	if (!n->import) return g;
	snprintf(path, sizeof path, "test_prune_nets.%d.onnx", (int)getpid());
	OK(cx, cop_onnx_save(g, path));
	cop_graph_free(g);
	OK(cx, cop_model_load(&g, cx, path));
	unlink(path);
	return g;
}

typedef struct noise { cop_dataset d; int32_t gets; } noise;

static cop_status sample(void *ud, int32_t i, float *x, int32_t *label)
{
	noise *n = ud;
	int64_t each = cop_type_count(&n->d.x);

	n->gets++;
	for (int64_t k = 0; k < each; k++) x[k] = cop__rand_normal(4, 1, (uint64_t)(i * each + k));
	*label = i % n->d.classes;
	return COP_OK;
}

static void samples(noise *n, const cop_graph *g)
{
	const cop_type *x = cop__t(g, g->input[0]), *y = cop__t(g, g->output[0]);
	*n = (noise){.d = {.name = "noise", .count = 4, .classes = y->dim[y->rank - 1], .get = sample, .ud = n}};
	n->d.x = cop__type(COP_F32, x->rank - 1, x->dim + 1);
}

static bool among(const char *words, const char *word)
{
	for (size_t n = strlen(word); *words; words += strcspn(words, " "), words += strspn(words, " "))
		if (strcspn(words, " ") == n && !strncmp(words, word, n)) return true;
	return false;
}

/* Scores of channels say nothing of anything smaller, nor of layers; those of weights alone say nothing of groups. */
static bool sensible(const net *n, const char *grain, const char *score)
{
	if (among(n->cannot, grain) || among(n->cannot, score) || !strncmp(score, "movement", 8)) return false;
	if (among(OUTPUTS, score)) return !strcmp(grain, "channel");
	return !among("obc wanda", score) || !strcmp(grain, "weight");
}

static int zeros_of(const cop_graph *g)
{
	int n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) {
		const float *w = g->value[v].role == COP_PARAM ? cop__floats(g, (cop_vid)v) : NULL;
		for (int64_t i = 0; w && i < cop_type_count(cop__t(g, (cop_vid)v)); i++) n += w[i] == 0;
	}
	return n;
}

static int64_t weights_of(const cop_graph *g)
{
	int64_t n = 0;

	for (int32_t v = 1; v <= g->n_value; v++) n += g->value[v].role == COP_PARAM ? cop_type_count(cop__t(g, (cop_vid)v)) : 0;
	return n;
}

static int pairs(cop_ctx *cx, const net *n, const cop_graph *g)
{
	char stage[300];
	noise d;
	int works = 0;
	const bool large = weights_of(g) > 8000;

	samples(&d, g);
	for (int i = 0; cop__grains.row(i); i++)
		for (int k = 0; cop__scores.row(k); k++) {
			const char *grain = cop__grains.row(i)->name, *score = cop__scores.row(k)->name;
			cop_graph *work;
			if (!strcmp(score, "obc") && large) continue; /* test_gram has it */
			snprintf(stage, sizeof stage, "- prune: {what: %s, by: %s, %sschedule: once, train: no, samples: 2, may_cost: 100, must_gain: 0}", grain, score, strcmp(grain, "nm") ? "keep: 0.4, " : "");
			OK(cx, cop__pass_copy(&work, g));
			d.gets = 0;
			cop_status st = known_stage(&work, stage, &d.d, 1);
			if (st && (d.gets || strlen(cop_error_text(cx)) < 50)) fail_msg("%s: %s: %s", n->name, stage, cop_error_text(cx));
			if (st && sensible(n, grain, score)) fail_msg("%s: %s: %s", n->name, stage, cop_error_text(cx));
			if (!st && !(zeros_of(work) > zeros_of(g))) fail_msg("%s: %s: nothing has gone", n->name, stage);
			works += !st;
			cop_error_clear(cx);
			cop_graph_free(work);
		}
	return works;
}

static void networks(void **state)
{
	if (!known_parts()) skip();
	for (int i = 0; i < LEN(nets); i++) {
		cop_graph *g = load(*state, &nets[i]);
		if (!g) continue;
		print_message("%s: %d pairs work\n", nets[i].name, pairs(*state, &nets[i], g));
		cop_graph_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {KNOWN_TEST(networks)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
