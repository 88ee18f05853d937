/* SPDX-License-Identifier: Apache-2.0
 *
 * Teachers: one that is in memory or in a file, several, the network itself; samples without labels; and what is refused.
 */
#include "help.h"
#include "train/alike.h"
#include "train/policy.h"

#include <unistd.h>

/* A network that has nothing but itself to learn from does not move. */
static void own_teacher(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *g = net(cx), *was = net(cx);
	cop_train_args a = base;

	a.policies = "distill:part=1";
	a.lr /= 10; /* rounding is all that there is to learn, and must not grow */
	OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
	for (int i = 0; i < 784 * 12; i++) assert_true(fabsf(cop__floats(g, cop__find(g, "fc1.w"))[i] - cop__floats(was, cop__find(was, "fc1.w"))[i]) < 1e-5f);
	cop_graph_free(g);
	cop_graph_free(was);
	cop_ctx_free(cx);
}

static cop_build *taught(cop_ctx *cx, const cop_graph *student, const cop_graph *teacher, cop_status want)
{
	cop_build *b;
	const cop_graph *as;

	OK(cx, cop__build_new(&b, student, 4, 0));
	OK(cx, cop__build_spec(b, "momentum=0"));
	assert_int_equal(cop__build_teacher(b, teacher, &as), want);
	if (want) return cop__build_free(b), NULL;
	cop__build_no_terms(b);
	OK(cx, cop__build_term(b, &(cop_term){.loss = cop__loss("distill"), .target = cop__build_taught(b, as, as->output[0])}));
	return b;
}

/* A network that is taught by another one comes near to it; by itself it learns nothing. */
static void teacher(void **state)
{
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_graph *one = net(cx), *two;
	OK(cx, cop_zoo_build(&two, cx, "mlp-784x12x10", &(cop_zoo_args){.batch = 1, .seed = 4}));
	for (int other = 0; other < 2; other++) {
		cop_trainer *t;
		cop_tensor x, w;
		float first = 0, last = 0, moved = 0;
		OK(cx, cop__trainer_new(&t, taught(cx, one, other ? two : one, COP_OK), 1, false));
		OK(cx, cop_trainer_input(t, 0, &x));
		OK(cx, cop__trainer_named(t, "fc1.w", &w));
		for (int step = 0; step < 30; step++) {
			for (int64_t k = 0; k < cop_type_count(&x.type); k++) ((float *)x.data)[k] = cop__rand_unit(1, 2, (uint64_t)k);
			OK(cx, cop_trainer_step(t, 0.002f, &last));
			if (!step) first = last;
		}
		for (int k = 0; k < 12 * 784; k++) moved = fmaxf(moved, fabsf(((float *)w.data)[k] - cop__floats(one, cop__find(one, "fc1.w"))[k]));
		if (other) assert_true(last < first - 0.01f && moved > 1e-3f);
		else assert_true(moved < 1e-5f);
		cop_trainer_free(t);
	}
	cop_graph_free(two);
	OK(cx, cop_zoo_build(&two, cx, "mlp-100x12x10", &(cop_zoo_args){.batch = 1, .seed = 4}));
	taught(cx, one, two, COP_SHAPE);
	if (!strstr(cop_error_text(cx), "the teacher 'mlp-100x12x10' takes")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	cop_graph_free(one);
	cop_graph_free(two);
	cop_ctx_free(cx);
}

static cop_graph *of_text(cop_ctx *cx, const char *text)
{
	cop_graph *g;

	OK(cx, cop_graph_parse(&g, cx, text, strlen(text)));
	return g;
}

#define NET(SHAPE) "graph s\ninput x f32[1," SHAPE "]\nparam w f32[30,30]\nr = reshape x rank=2 dim=0,-1\ny = fc r w _\noutput y\n"
#define TEACHER(SHAPE, BEFORE, OF) "graph t\ninput p f32[1," SHAPE "]\n" BEFORE "y = reshape " OF " rank=2 dim=0,-1\noutput y\n"
static const char last[] = NET("2,3,5"), first[] = NET("5,2,3"), as_last[] = TEACHER("2,3,5", "", "p"), as_first[] = TEACHER("5,2,3", "", "p"),
	turned_first[] = TEACHER("2,3,5", "q = transpose p rank=4 dim=0,3,1,2\n", "q"), turned_last[] = TEACHER("5,2,3", "q = transpose p rank=4 dim=0,2,3,1\n", "q");

/* The loss of one step; both graphs are used up. */
static float taught_loss(cop_ctx *cx, cop_graph *g, cop_graph *teacher)
{
	cop_trainer *t;
	cop_tensor x;
	float loss;

	for (int k = 0; k < 900; k++) ((float *)cop__own(g, cop__find(g, "w")))[k] = cop__rand_unit(3, 4, (uint64_t)k) - 0.5f;
	OK(cx, cop__trainer_new(&t, taught(cx, g, teacher, COP_OK), 1, false));
	OK(cx, cop_trainer_input(t, 0, &x));
	for (int64_t k = 0; k < cop_type_count(&x.type); k++) ((float *)x.data)[k] = 3 * cop__rand_unit(1, 2, (uint64_t)k);
	OK(cx, cop_trainer_step(t, 0, &loss));
	cop_trainer_free(t);
	cop_graph_free(g);
	cop_graph_free(teacher);
	return loss;
}

/* Teachers whose logits are the picture itself. One that has the channels at the other end sees the same picture: it says what one does that turns the picture
 * back by itself. */
static void other_order(void **state)
{
	cop_ctx *cx = new_ctx();

	(void)state;
	float same = taught_loss(cx, of_text(cx, last), of_text(cx, as_last)), turned = taught_loss(cx, of_text(cx, last), of_text(cx, turned_first));
	assert_true(fabsf(same - turned) > 1e-3f); /* the order matters */
	assert_float_equal(taught_loss(cx, of_text(cx, last), of_text(cx, as_first)), turned, 0);
	assert_float_equal(taught_loss(cx, of_text(cx, first), of_text(cx, as_last)), taught_loss(cx, of_text(cx, first), of_text(cx, turned_last)), 0);
	cop_ctx_free(cx);
}

/* A teacher gets samples scaled as its own file says, whatever the network's says. One without a word about it gets the network's. */
static void own_scaling(void **state)
{
	static const char by_hand[] = TEACHER("2,3,5", "const m f32[5]\nconst a f32[5]\nq = mul p m\nr = add q a\nt = transpose r rank=4 dim=0,3,1,2\n", "t");
	const cop_samples own = {.times = 2, .channels = 1, .mean = {0.5f}, .std = {0.25f}};
	cop_samples its = {.channels = 5};
	cop_ctx *cx = new_ctx();
	cop_graph *g[3], *teacher = of_text(cx, as_first), *hand = of_text(cx, by_hand);

	(void)state;
	for (int c = 0; c < 5; c++) { /* raw = (0.25 x + 0.5) / 2 */
		its.mean[c] = 0.1f * (float)c, its.std[c] = 0.2f + 0.1f * (float)c;
		((float *)cop__own(hand, cop__find(hand, "m")))[c] = 0.125f / its.std[c];
		((float *)cop__own(hand, cop__find(hand, "a")))[c] = (0.25f - its.mean[c]) / its.std[c];
	}
	OK(cx, cop_graph_samples_set(teacher, &its));
	for (int i = 0; i < 3; i++) OK(cx, cop_graph_samples_set(g[i] = of_text(cx, last), &own));
	assert_float_equal(taught_loss(cx, g[0], teacher), taught_loss(cx, g[1], hand), 1e-4f);
	assert_float_equal(taught_loss(cx, g[2], of_text(cx, as_first)), taught_loss(cx, of_text(cx, last), of_text(cx, as_first)), 0);

	cop_graph *net = of_text(cx, last);
	its.channels = 4;
	OK(cx, cop_graph_samples_set(teacher = of_text(cx, as_last), &its));
	taught(cx, net, teacher, COP_SHAPE);
	if (!strstr(cop_error_text(cx), "mean for each of 4 channels")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	cop_graph_free(net);
	cop_graph_free(teacher);
	cop_ctx_free(cx);
}

static void save_teacher(cop_ctx *cx, const char *path, uint64_t seed)
{
	cop_graph *g;
	OK(cx, cop_zoo_build(&g, cx, "mlp-784x12x10", &(cop_zoo_args){.batch = 1, .seed = seed}));
	for (int i = 0; i < 12 * 10; i++) ((float *)cop__own(g, cop__find(g, "fc2.w")))[i] *= 8;
	OK(cx, cop_model_save(g, path));
	cop_graph_free(g);
}

static float log_share(const float *y, int k)
{
	double sum = 0;
	for (int j = 0; j < 10; j++) sum += exp((double)(y[j] - y[k]));
	return (float)-log(sum);
}

static void answer(float *y, cop_ctx *cx, const cop_graph *g)
{
	cop_target t;
	cop_plan *p;
	cop_session *s;
	cop_tensor x;
	cop_graph *plain = (cop_graph *)(uintptr_t)g;

	OK(cx, cop_target_find(&t, cx, "host"));
	OK(cx, cop_plan_build(&p, &plain, 1, &t));
	OK(cx, cop_session_new(&s, p, 1));
	OK(cx, cop_session_io(s, 0, 0, false, &x));
	int32_t label;
	get(NULL, 0, x.data, &label);
	OK(cx, cop_session_run(s, 0));
	OK(cx, cop_session_io(s, 0, 0, true, &x));
	memcpy(y, x.data, 40);
	cop_session_free(s);
	cop_plan_free(p);
}

/* From files: the teacher's class is learned, whatever the label says; of two teachers, `distill` learns the mean of their answers. */
static void from_files(void **state)
{
	static const char *const text[] = {"part=1,standardise=no,temperature=1", "part=1", "part=1,by=dkd", "part=1,by=dist"};
	char path[2][64], policies[200];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	for (int k = 0; k < 2; k++) {
		snprintf(path[k], sizeof path[k], "/tmp/coppice-teacher-%d-%d.cop", k, (int)getpid());
		save_teacher(cx, path[k], 7 + (uint64_t)k);
	}
	for (int i = 0; i < 2 * LEN(text); i++) {
		cop_graph *g = net(cx), *teacher[2];
		cop_train_args a = base;
		float y[10], t[2][10], off = 0;
		int best = 0, own = 0;
		const bool both = i >= LEN(text);
		snprintf(policies, sizeof policies, "distill:teacher=%s%s%s,%s", path[0], both ? "|" : "", both ? path[1] : "", text[i % LEN(text)]);
		a.policies = policies;
		a.epochs = 150;
		a.lr = 0.02f;
		OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
		answer(y, cx, g);
		for (int k = 0; k < 2; k++) {
			OK(cx, cop_model_load(&teacher[k], cx, path[k]));
			answer(t[k], cx, teacher[k]);
			cop_graph_free(teacher[k]);
		}
		for (int j = 0; j < 10; j++) {
			double want = both ? (exp((double)log_share(t[0], j)) + exp((double)log_share(t[1], j))) / 2 : exp((double)log_share(t[0], j));
			off = fmaxf(off, fabsf((float)(exp((double)log_share(y, j)) - want)));
			best = t[0][j] > t[0][best] ? j : best;
			own = y[j] > y[own] ? j : own;
		}
		if (i % LEN(text) == 0 && off > 0.02f) fail_msg("%s: a class is %g off the teachers' mean", policies, (double)off);
		if (!both && own != best) fail_msg("%s: class %d, the teacher's is %d", policies, own, best);
		cop_graph_free(g);
	}
	cop_graph *five;
	OK(cx, cop_zoo_build(&five, cx, "mlp-784x4x5", &(cop_zoo_args){.batch = 1, .classes = 5, .seed = 3}));
	cop_train_args other = base;
	cop_dataset bare = d;
	bare.classes = 0;
	snprintf(policies, sizeof policies, "distill:teacher=%s,part=1", path[0]);
	other.policies = policies;
	assert_int_equal(cop__train(five, &bare, NULL, &other, "train", NULL, 0), COP_SHAPE);
	assert_non_null(strstr(cop_error_text(cx), "tells 10 classes apart, 'mlp-784x4x5' 5"));
	cop_error_clear(cx);
	cop_graph_free(five);
	float y[2][10];
	for (int twice = 0; twice < 2; twice++) { /* they share what one alone would be */
		cop_graph *g = net(cx);
		cop_train_args a = base;
		snprintf(policies, sizeof policies, "distill:teacher=%s%s%s,part=0.6", path[0], twice ? "|" : "", twice ? path[0] : "");
		a.policies = policies;
		OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
		answer(y[twice], cx, g);
		cop_graph_free(g);
	}
	for (int j = 0; j < 10; j++) assert_true(fabsf(y[0][j] - y[1][j]) < 1e-4f);
	for (int k = 0; k < 2; k++) unlink(path[k]);
	cop_ctx_free(cx);
}

/* A teacher that is no part of the loss changes nothing. */
static void no_part(void **state)
{
	char path[64], policies[128];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *with = net(cx), *without = net(cx);
	cop_train_args a = base;

	snprintf(path, sizeof path, "/tmp/coppice-teacher-%d.cop", (int)getpid());
	snprintf(policies, sizeof policies, "distill:teacher=%s,part=0", path);
	save_teacher(cx, path, 7);
	OK(cx, cop__train(without, &d, NULL, &a, "train", NULL, 0));
	a.policies = policies;
	OK(cx, cop__train(with, &d, NULL, &a, "train", NULL, 0));
	assert_true(same(with, without));
	unlink(path);
	cop_graph_free(with);
	cop_graph_free(without);
	cop_ctx_free(cx);
}

/* Without labels or targets a network learns to give back its input, if it can, or what a teacher says. */
static void unlabelled(void **state)
{
	static const struct { const char *net, *policies, *says; } row[] = {
		{"mlp-784x12x10", NULL, "takes 784 numbers and gives 10"}, {"mlp-784x12x10", "ema", "takes 784 numbers and gives 10"},
		{"mlp-784x12x10", "distill:part=0.9", "takes 784 numbers and gives 10"}, {"mlp-784x12x10", "distill:part=1,by=dkd", "needs the class"},
		{"mlp-784x12x10", "distill:part=1", NULL}, {"mlp-784x4x784", NULL, NULL}, {"mlp-784x4x1", "distill:part=1", "does not tell classes apart"}};
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);

	d.classes = 0;
	for (int i = 0; i < LEN(row); i++) {
		cop_graph *g;
		cop_train_args a = base;
		a.policies = row[i].policies;
		a.lr = 0.001f;
		OK(cx, cop_zoo_build(&g, cx, row[i].net, &(cop_zoo_args){.batch = 1, .seed = 3}));
		cop_status st = cop__train(g, &d, &d, &a, "train", NULL, 0);
		if (row[i].says ? st != COP_ARG || !strstr(cop_error_text(cx), row[i].says) : st != COP_OK) fail_msg("%s, %s: %s", row[i].net, row[i].policies ? row[i].policies : "", cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
	cop_ctx_free(cx);
}

typedef struct stopper { int32_t epochs; volatile bool now; } stopper; /* epochs 0: never */

static cop_status stop(void *ud, const cop_progress *p, cop_verdict *v)
{
	stopper *s = ud;
	(void)v;
	s->now = s->epochs && p->epoch + 1 == s->epochs;
	return COP_OK;
}

/* A run goes on with the teacher that it began with. */
static void another_teacher(void **state)
{
	char path[64], ckpt[64], policies[128];
	(void)state;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_graph *g = net(cx), *h = net(cx);
	stopper s = {2, false};
	const cop_policy p = {.name = "stopper", .ud = &s, .epoch = stop};
	cop_train_args a = base;

	snprintf(path, sizeof path, "/tmp/coppice-teacher-%d.cop", (int)getpid());
	snprintf(ckpt, sizeof ckpt, "/tmp/coppice-policies-%d.ckpt", (int)getpid());
	snprintf(policies, sizeof policies, "distill:teacher=%s", path);
	save_teacher(cx, path, 7);
	unlink(ckpt);
	a.policies = policies;
	a.checkpoint = ckpt;
	a.epochs = 9;
	cop_ctx_stop(cx, &s.now);
	assert_int_equal(cop__train(g, &d, NULL, &a, "train", &p, 1), COP_STOPPED);
	cop_error_clear(cx);
	s = (stopper){0, false};
	a.resume = true;
	save_teacher(cx, path, 8);
	assert_int_equal(cop__train(h, &d, NULL, &a, "train", &p, 1), COP_ARG);
	if (!strstr(cop_error_text(cx), "teacher")) fail_msg("%s", cop_error_text(cx));
	cop_error_clear(cx);
	save_teacher(cx, path, 7);
	OK(cx, cop__train(h, &d, NULL, &a, "train", &p, 1));
	unlink(path);
	unlink(ckpt);
	cop_graph_free(g);
	cop_graph_free(h);
	cop_ctx_free(cx);
}

static cop_status get_class(void *ud, int32_t i, float *x, int32_t *label)
{
	COP_TRY(get(NULL, i, x, label));
	*label = *(const int32_t *)ud;
	return COP_OK;
}

static void keep_text(void *ud, cop_level level, const char *text)
{
	if (level == COP_LOG_WARN) snprintf(ud, 400, "%s", text);
}

/* A teacher that is wrong on what is trained on is doubted; one that is right is not. */
static void doubted(void **state)
{
	static const char *const of[] = {"distill:teacher=%s", "hint:teacher=%s,by=fitnet,at=fc1"};
	char path[64], policies[128], said[400];
	int32_t label;
	float y[10];
	cop_graph *teacher;
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_train_args a = base;

	(void)state;
	snprintf(path, sizeof path, "/tmp/coppice-teacher-%d.cop", (int)getpid());
	save_teacher(cx, path, 7);
	OK(cx, cop_model_load(&teacher, cx, path));
	answer(y, cx, teacher);
	int best = 0;
	for (int k = 1; k < 10; k++) best = y[k] > y[best] ? k : best;
	d.get = get_class;
	d.ud = &label;
	a.policies = policies;
	cop_ctx_log(cx, COP_LOG_WARN, keep_text, said);
	for (int i = 0; i < 4; i++) {
		const bool right = i % 2;
		snprintf(policies, sizeof policies, of[i / 2], path);
		cop_graph *g = net(cx);
		label = right ? best : (best + 1) % 10;
		said[0] = 0;
		OK(cx, cop__train(g, &d, NULL, &a, "train", NULL, 0));
		if (right ? *said : !strstr(said, "right on only 0 of 16 training samples")) fail_msg("%s, a teacher that is %s: %s", policies, right ? "right" : "wrong", said);
		cop_graph_free(g);
	}
	cop_ctx_log(cx, COP_LOG_ERROR, NULL, NULL);
	cop_graph_free(teacher);
	unlink(path);
	cop_ctx_free(cx);
}

/* Answers are learnt by their place, so classes have to be in the same order. */
static void other_names(void **state)
{
	static const char *const names[] = {"cat", "dog", "eel", "fox", "gnu", "hen", "ibex", "jay", "koi", "lynx"};
	const char *swapped[10];
	char path[64], policies[128];
	cop_ctx *cx = new_ctx();
	cop_dataset d = alike(16);
	cop_train_args a = base;
	cop_graph *teacher = net(cx);

	(void)state;
	snprintf(path, sizeof path, "/tmp/coppice-teacher-%d.cop", (int)getpid());
	snprintf(policies, sizeof policies, "distill:teacher=%s", path);
	memcpy(swapped, names, sizeof names);
	swapped[2] = names[3], swapped[3] = names[2];
	a.policies = policies;
	for (int same_order = 0; same_order < 2; same_order++) {
		cop_graph *g = net(cx);
		OK(cx, cop_graph_classes_set(g, names, 10));
		OK(cx, cop_graph_classes_set(teacher, same_order ? names : swapped, 10));
		OK(cx, cop_model_save(teacher, path));
		assert_int_equal(cop__train(g, &d, NULL, &a, "train", NULL, 0), same_order ? COP_OK : COP_ARG);
		if (!same_order && !strstr(cop_error_text(cx), "class 2 of the teacher 'mlp-784x12x10' is 'fox', and of 'mlp-784x12x10' it is 'eel'")) fail_msg("%s", cop_error_text(cx));
		cop_error_clear(cx);
		cop_graph_free(g);
	}
	cop_graph_free(teacher);
	unlink(path);
	cop_ctx_free(cx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(own_teacher), cmocka_unit_test(teacher), cmocka_unit_test(other_order), cmocka_unit_test(own_scaling), cmocka_unit_test(from_files), cmocka_unit_test(another_teacher),
		cmocka_unit_test(unlabelled), cmocka_unit_test(no_part), cmocka_unit_test(doubted), cmocka_unit_test(other_names)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
