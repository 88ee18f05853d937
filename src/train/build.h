/* SPDX-License-Identifier: Apache-2.0
 *
 * build.h - what a training graph is made of, as a record that policies add to before it is put together: the rule of updates, terms of
 * the loss, forms of weights, a teacher, further states, gradients to keep.
 *
 * Tensors are named by handles: small numbers that the trainer resolves, before and after each step. A handle may be had before the graph is there.
 */
#ifndef COP_BUILD_H
#define COP_BUILD_H

#include "core/options.h"
#include "graph/graph.h"

typedef struct cop_build cop_build;
typedef int32_t cop_handle; /* of a tensor of the training; 0: none */

/* ---- rows of the tables: each begins with its name, options and so on ---- */

/* A term of the loss: one number from the network's answer y and what it is to be. */
typedef struct cop_loss {
	cop_row row;
	bool labels; /* the target is the number of a class for each sample; else it has the shape of y */
	bool number; /* and the number of the class as well, the input `label` */
	bool logits; /* y is logits, and so is a teacher's target: of a network that ends in softmax what goes into that */
	cop_vid (*build)(cop_graph *g, const void *options, cop_vid y, cop_vid target);
} cop_loss;

/* One parameter, its gradient, and the rule's states, in the training graph. */
enum { COP_LEARNT = 3, COP_SHARED = 4, COP_SUMS = 2 };
typedef struct cop_param {
	cop_graph *g;
	cop_vid w, dw;
	const struct cop_tier *level; /* the rule, and how high it stands */
	bool inner;                    /* of a layer between the first and the last */
	cop_vid *shared;               /* [COP_SHARED] what `begin` computed for all parameters */
	cop_vid *sum;                  /* [COP_SUMS] what of this one `end` gets the sum of; 0: nothing */
	cop_vid learnt[COP_LEARNT], slope[COP_LEARNT]; /* numbers of the rule that are learnt, as they are in this step; 0: as the options say */
} cop_param;

/* A number of a rule that may be learnt, and what of it is: itself, its root, or x in (tanh x + 1) / 2. */
enum cop_learnt_as { COP_AS_IT_IS, COP_AS_ROOT, COP_AS_TANH };
typedef struct cop_learns { const char *name; size_t offset; enum cop_learnt_as as; } cop_learns;

/* A rule that changes a parameter by its gradient. */
typedef struct cop_update {
	cop_row row;
	const char *state[4]; /* what it keeps for each parameter, of its shape, zero at first: "momentum" */
	bool integers;        /* it moves int8 weights, too */
	cop_vid (*build)(const cop_param *p, const void *options); /* the new parameter, written over the old */
	/* What the network is run with in place of the parameter; NULL: the parameter. The gradient is of that, dw of build. */
	cop_vid (*ahead)(const cop_param *p, const void *options);
	/* Once a step: before the parameters, and behind them with the sums over all of them. p has no w. NULL: nothing. */
	bool (*begin)(const cop_param *p, const void *options);
	bool (*end)(const cop_param *p, const void *options);
	cop_learns learns[COP_LEARNT]; /* the first is the rate; where something of it is learnt, build asks cop__learnt for it */
	/* The state that is minus how the weight moves with number k, so that build need not leave that behind (cop__moved); NULL, or no such function: it does. */
	const char *(*moves)(const void *options, int k);
	bool zeroth; /* the network runs forward twice, on weights that are perturbed, and no gradients of them are computed (train/zeroth.c) */
	bool rows; /* it can update a list of rows alone */
	bool own_size; /* a weight moves by about the rate, whatever the size of its gradient */
} cop_update;
const cop_update *cop__update_said(const char *text); /* the rule that the text of a training names; sgd if it names none */
cop_vid cop__param_state(const cop_param *p, int i);
cop_vid cop__param_lr(const cop_param *p);
cop_vid cop__param_step(const cop_param *p); /* steps done, i32[1] */
/* A number that the rule keeps once for all parameters, f32[1], 0 at first. */
cop_vid cop__param_once(const cop_param *p, const char *name);
/* Weight decay spares vectors: biases and batch norm. */
float cop__param_decay(const cop_param *p, float decay);
/* The i-th number that may be learnt, as it is in this step; else as it is said. */
cop_vid cop__learnt(const cop_param *p, int i, float said);
bool cop__learns(const cop_param *p, int i);
bool cop__learns_any(const cop_param *p);
/* How the new parameter changes with that number: the next step's gradient tells by it which way the number should go. */
bool cop__moved(const cop_param *p, int i, cop_vid by);

/* A weight as an expression over latent values, which are what is trained. */
typedef struct cop_formed { const struct cop_form *form; const void *options; const cop_graph *model; cop_vid w; /* in the model */ } cop_formed;
typedef struct cop_form {
	cop_row row;
	/* The weight in g, computed from latents that it makes there with cop__latent. NULL: the weight is its own latent. */
	cop_vid (*express)(const cop_formed *f, cop_graph *g);
	/* What becomes of the gradient of the weight, where it is its own latent; NULL: nothing. */
	cop_vid (*gradient)(const cop_formed *f, cop_graph *g, cop_vid w, cop_vid dw);
	const char *follower; /* a weight of the model that has this follower takes this form by itself; NULL: none does */
} cop_form;
/* A weight that a term of the loss has for itself: a PARAM that is trained, whatever layers= says, and is no part of the network. Drawn from the
 * bound of a layer with so many inputs; 0: zeros. */
cop_vid cop__beside(cop_graph *g, const char *what, const cop_type *t, int32_t inputs);
/* A PARAM (trained), STATE or CONST that belongs to the weight; init is copied. */
cop_vid cop__latent(const cop_formed *f, cop_graph *g, cop_role role, const char *what, const cop_type *t, const void *init);
cop_vid cop__under_mask(const cop_formed *f, cop_graph *g, cop_vid y); /* y, where the weight has a mask times that */
/* The same numbers, without a gradient. */
cop_vid cop__still(cop_graph *g, cop_vid x);

extern const cop_table cop_losses, cop_updates, cop_forms;
const cop_loss *cop__loss(const char *name);
const cop_update *cop__update(const char *name);
const cop_form *cop__form(const char *name);

/* ---- the record ---- */

/* batch 0: the model as it is; else for that many samples a run, of `each` numbers, and without the units of a regression. The model is copied. */
cop_status cop__build_new(cop_build **out, const cop_graph *model, int32_t batch, int64_t each);
void cop__build_free(cop_build *b);
void cop__build_bf16(cop_build *b, bool bf16); /* convolutions multiply bfloat16 (cop_train_args.bf16); false until then */
/* The network that will be trained, for policies that look for weights and layers in it. */
const cop_graph *cop__build_model(const cop_build *b);

/* "loss=xent smooth=0.1 update=sgd momentum=0.9 clip=1 layers=fc*", as in cop_graph_train; "": the defaults. It comes first: it says the rule of
 * updates and the first term of the loss. */
cop_status cop__build_spec(cop_build *b, const char *text);
/* One more term. y 0: the first output. target 0: an input of the training graph, "label" or "target". options NULL: the row's defaults. */
typedef struct cop_term {
	const cop_loss *loss;
	const void *options;
	float weight;
	cop_handle y, target;
	bool beside; /* the two calls below leave it as it is, whichever comes first */
} cop_term;
cop_status cop__build_term(cop_build *b, const cop_term *t);
void cop__build_no_terms(cop_build *b); /* for a policy that has its own in their place */
void cop__build_weigh_terms(cop_build *b, float by); /* those that are there count so much less beside what is added */
/* options NULL: the row's defaults; they are copied. */
cop_status cop__build_form(cop_build *b, const char *weight, const cop_form *form, const void *options);
/* A teacher: run on the same samples, never changed. *as: it as it runs, for cop__build_taught; one that is there already is run once. Refused
 * where its inputs are not those of the network. */
enum { COP_MAX_TEACHERS = 8 };
cop_status cop__build_teacher(cop_build *b, const cop_graph *teacher, const cop_graph **as);
cop_handle cop__build_taught(cop_build *b, const cop_graph *as, cop_vid v); /* a value that this teacher computes */
/* A value that cop__build_model computes. If a clip alone reads it, ask for the clip's result: the two become one. */
cop_handle cop__build_inner(cop_build *b, cop_vid v);
bool cop__build_knows_class(const cop_build *b); /* is the number of each sample's class an input? */
bool cop__build_guarded(const cop_build *b); /* does a step whose loss is not finite change nothing? After cop__build_spec */
bool cop__build_trains(const cop_build *b, const char *weight); /* or is it frozen? After cop__build_spec */
/* A named tensor of the training graph: a weight, an output, a state. */
cop_handle cop__build_value(cop_build *b, const char *name);
float cop__build_number(const cop_build *b, const char *option); /* of the rule, such as "momentum"; a flag: 0 or 1; 0: it has none of that name */
/* One more STATE; init NULL: zeros. of: the weight that it follows, or NULL. */
cop_handle cop__build_state(cop_build *b, const char *name, const cop_type *t, const void *init, const char *of);
/* What belongs to a weight: "mask", a state of the rule of updates, a latent of its form. */
cop_handle cop__build_follower(cop_build *b, const char *weight, const char *what);
/* A value of cop__build_model that may be left out, and reads as 0 then: it and the nodes that it alone needs are skipped, forward and backward,
 * while the tensor (i32[1], 1 at first) is 0; their weights and running means then stay as they are. */
cop_handle cop__build_guard(cop_build *b, cop_vid v);
/* The same, but in each step the guard is what `decide` computes (i32[1]) in the training graph g: of `from`, which is there before v is. k: how many such
 * guards come before. *times, where it is set: v is multiplied with it, f32[1]. */
typedef cop_vid cop_decide(void *ud, cop_graph *g, int32_t k, cop_vid from, cop_vid *times);
cop_handle cop__build_decided(cop_build *b, cop_vid v, cop_vid from, cop_decide *decide, void *ud);
/* The gradient of a weight of the model, readable after each step. */
cop_handle cop__build_gradient(cop_build *b, const char *weight);

/* ---- the graphs ---- */

/* STEP does all of it. GRADIENTS leaves every gradient in a STATE, UPDATE goes on from there. EXPRESS computes the formed weights. */
typedef enum cop_part { COP_PART_STEP, COP_PART_GRADIENTS, COP_PART_UPDATE, COP_PART_EXPRESS, COP_PARTS } cop_part;
cop_status cop__build_graph(cop_graph **out, cop_build *b, cop_part part);
bool cop__build_has_forms(const cop_build *b); /* is there anything for EXPRESS? */
const char *cop__build_name(const cop_build *b, cop_handle h); /* of the tensor */
/* The i-th state that the rule of updates keeps for a weight; NULL past the last. */
const char *cop__build_kept(const cop_build *b, int i);
float cop__build_rate(const cop_build *b, float said, float moved); /* where the rate is learnt: what has become of the one that is said */
#define COP_LEARNT_RATE "rule.lr"

#endif
