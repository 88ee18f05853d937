/* SPDX-License-Identifier: Apache-2.0
 *
 * pass.h - graph to graph. A pass reads one graph and writes a new one; the old one is left as it was, and what
 * the pass needs to know comes in its arguments. pass.def lists the rows, the text form is cop_graph_apply's.
 *
 * Every pass keeps the graph's inputs and outputs with their names and order. Weights that nobody read before
 * (masks, row lists) are kept; those whose last reader the pass took away go. dce alone drops both.
 */
#ifndef COP_PASS_H
#define COP_PASS_H

#include "core/options.h"
#include "op/op.h"

typedef struct cop_pass {
	cop_row row;
	cop_status (*run)(cop_graph **out, const cop_graph *g, const void *options); /* of the row's own struct */
} cop_pass;
extern const cop_table cop__passes;

/* ---- passes that the library calls itself ---- */
typedef cop_status cop_pass_fn(cop_graph **out, const cop_graph *g);
/* One more pass over *g, which it takes the place of; after a failure *g is NULL. */
cop_status cop__pass_then(cop_graph **g, cop_pass_fn *pass);
cop_status cop__pass_copy(cop_graph **out, const cop_graph *g); /* the same graph, weights shared */
cop_status cop__pass_dce(cop_graph **out, const cop_graph *g);
cop_status cop__pass_batch(cop_graph **out, const cop_graph *g, int32_t n);
/* The same, for data whose samples have `each` numbers in the first input (0: not known). With `got` a network whose samples
 * cannot go side by side stays as it is, to be run for one after the other: *got says how many samples a run has. */
typedef struct cop_sized_args { int32_t n; int64_t each; cop_vid **map; /* NULL, or receives the new value of each old one */ } cop_sized_args;
cop_status cop__batch_for(cop_graph **out, const cop_graph *g, const cop_sized_args *a, int32_t *got);
/* How many samples the first input holds, when each has that many numbers; 0: it holds no such. each 0: as far as the shape says. */
int32_t cop__samples_held(const cop_graph *g, int64_t each);
/* Where the samples lie in an input or output of a graph that the pass has made: for each of `lead` blocks `bytes` of each sample. */
typedef struct cop_parts { int32_t lead, samples; int64_t bytes; } cop_parts;
void cop__parts_of(cop_parts *p, const cop_graph *g, cop_vid v, int32_t samples);
void cop__part_put(const cop_parts *p, void *all, int32_t i, const void *one);
void cop__part_take(const cop_parts *p, void *one, int32_t i, const void *all);
cop_status cop__pass_fuse(cop_graph **out, const cop_graph *g);
cop_status cop__pass_fold_bn(cop_graph **out, const cop_graph *g);
typedef bool cop_stays(const cop_graph *g, cop_vid weight); /* should the batch norm behind this weight's layer stay? */
cop_status cop__pass_fold_bn_but(cop_graph **out, const cop_graph *g, cop_stays *stays);
/* Recurrent layers step by step, in operators that have gradients. */
cop_status cop__pass_unroll(cop_graph **out, const cop_graph *g);
cop_status cop__pass_to_train(cop_graph **out, const cop_graph *g);
cop_status cop__pass_to_infer(cop_graph **out, const cop_graph *g);
/* Batch norm by its running statistics, in operators that have gradients: the network is differentiated as it answers. */
cop_status cop__pass_running(cop_graph **out, const cop_graph *g);
/* What is run, measured and quantised of a model: to_infer, then fuse. */
cop_status cop__pass_deploy(cop_graph **out, const cop_graph *g);
cop_vid cop__joined(cop_graph *g, int32_t axis, cop_vid *v, int32_t count); /* one behind the other along the axis, any number of them; v is used up */
/* The result of the layer whose weight or result is called so; 0: there is none. */
cop_vid cop__result_named(const cop_graph *g, const char *name);
/* The layer that makes the scores: the last fully connected one, of floats or integers; 0: the network does not end in one. */
cop_nid cop__scores_layer(const cop_graph *g);
cop_vid cop__as_rows(cop_graph *out, cop_vid x, float scale, int32_t zero); /* bytes of a map as rows of floats; floats stay as they are */
/* A weight [rows, in], uniform, as those of a layer without a ReLU behind it are drawn elsewhere. */
cop_vid cop__drawn(cop_graph *g, const char *name, int32_t rows, int32_t in, int32_t seed);
/* A network in two at a value that it computes. Does all that comes behind v read nothing that comes before it but v and weights? */
bool cop__can_cut(const cop_graph *g, cop_vid v);
cop_status cop__cut_front(cop_graph **out, const cop_graph *g, const cop_vid *v, int n); /* from the inputs to the n values v, its outputs */
cop_status cop__cut_back(cop_graph **out, const cop_graph *g, cop_vid v); /* from v, its input, to the outputs */
/* The part of the network before `end` in bands of its rows; the names of what is within are lost. */
cop_status cop__pass_patch(cop_graph **out, const cop_graph *g, cop_vid end, int32_t bands);
/* Marks int8 layers whose weights are coded in flash, where the code is that much smaller. A layer of more bytes than `buffer` (0: any) is computed in parts, unless it is set in
 * whole[n_node+1]; one that is set in skip[n_node+1] is left as it is. NULL: none is set. */
typedef struct cop_coding { cop_code by; int32_t buffer; const bool *skip, *whole; } cop_coding;
cop_status cop__pass_code(cop_graph **out, const cop_graph *g, const cop_coding *how);
bool cop__can_code(const cop_graph *g); /* has it such a layer? */
/* EXACT: of f32 layers only channels that later layers multiply by 0, so that no bit changes. ROUNDED: but for the rounding of sums. BORDERS: as if
 * padding read the constant, too; what is trained on makes up for it. */
typedef enum cop_drop { COP_DROP_EXACT, COP_DROP_ROUNDED, COP_DROP_BORDERS } cop_drop;
cop_status cop__pass_drop_constant(cop_graph **out, const cop_graph *g, cop_drop how);
cop_status cop__drop_constant_of(cop_graph **g, cop_drop how); /* the same, in the place of *g */
/* One layer for two without an activation between them; loose: also where the border of the result changes. */
cop_status cop__pass_merge(cop_graph **out, const cop_graph *g, bool loose);
/* The same for those alone whose weights' names belong together, whatever that costs; together NULL: where it costs no more. */
typedef struct cop_merging { bool loose; bool (*together)(const void *ud, const char *first, const char *second); const void *ud; } cop_merging;
cop_status cop__pass_merge_by(cop_graph **out, const cop_graph *g, const cop_merging *how);
/* The attributes of one layer for a and then b; false where its padding does not come out. x, y: dimensions of what a reads and makes; kh, kw: of a's
 * kernel. Where a has all that padding and b none, the two are that layer everywhere. */
bool cop__conv_compose(cop_conv_attr *c, const cop_conv_attr *a, const cop_conv_attr *b, const int32_t *x, const int32_t *y, int32_t kh, int32_t kw);
cop_status cop__pass_known(cop_graph **out, const cop_graph *g); /* without layers whose result no input can change */
cop_status cop__pass_fold_pad(cop_graph **out, const cop_graph *g);
/* Layers between signs, with weights of two values, as sums of bits. */
cop_status cop__pass_bits(cop_graph **out, const cop_graph *g);
/* Is each filter of a weight (index of its first axis) plus and minus one number? scale: NULL, or receives them. */
bool cop__two_values(const cop_graph *g, cop_vid w, float *scale);
cop_status cop__pass_shrink(cop_graph **out, const cop_graph *g);
/* The int8 layers whose weight or bias is named so become trainable, and constants again. *found: how many. */
cop_status cop__pass_trainable(cop_graph **out, const cop_graph *g, const char *layers, int32_t *found);
cop_status cop__pass_settled(cop_graph **out, const cop_graph *g);
/* Of to_infer only what leaves every weight as it is: no dropout, no node that changes nothing. */
cop_status cop__pass_strip(cop_graph **out, const cop_graph *g);

/* Encoded weights as numbers: those of one encoding, or of any (DENSE). */
cop_status cop__pass_decode(cop_graph **out, const cop_graph *g, cop_enc enc);
cop_status cop__pass_decode_if(cop_graph **out, const cop_graph *g, bool (*which)(const cop_graph *g, cop_vid v, const void *ud), const void *ud);

/* ---- structured removal ----
 * An item is one index of one axis of one value. Items that can only go together form a group: the closure of the
 * ops' links and of `of`. A group that touches the network's inputs or outputs, or an axis an op does not let
 * through, has a reason in `stop` and must stay. */
typedef struct cop_item { cop_vid v; int32_t axis, index; } cop_item;
typedef struct cop_stop { const char *why; cop_nid node; cop_vid v; } cop_stop; /* why NULL: the group may go */
typedef struct cop_groups {
	const cop_graph *g;
	cop_arena mem;
	int32_t n_item, n_group;
	int32_t *base;    /* [(n_value+1)*COP_MAX_DIM] first item of an axis */
	cop_item *item;   /* [n_item] */
	int32_t *group;   /* [n_item] */
	int32_t *start;   /* [n_group+1] where a group's members begin */
	int32_t *member;  /* [n_item] items by group, ascending */
	cop_stop *stop;   /* [n_group] */
	uint64_t *lost;   /* [n_node+1] a bit for each of the node's first 64 links: an alternative that does not hold */
} cop_groups;

cop_status cop__groups(cop_groups *s, const cop_graph *g); /* free with cop__groups_free, after a failure too */
void cop__groups_free(cop_groups *s);
static inline int32_t cop__group_of(const cop_groups *s, cop_vid v, int32_t axis, int32_t index)
{
	return s->group[s->base[v * COP_MAX_DIM + (cop_vid)axis] + index];
}
/* Records why a group may not go, naming the node. Returns COP_OK when it may. */
cop_status cop__group_check(const cop_groups *s, int32_t group);

/* Takes out every group that is set in drop[n_group]. Fails, naming the node, where one of them must stay. */
cop_status cop__pass_slice_groups(cop_graph **out, const cop_groups *s, const uint8_t *drop);
/* Takes out the indices of v's axis with keep[index] == 0, and all that goes with them. */
cop_status cop__pass_slice(cop_graph **out, const cop_graph *g, cop_vid v, int32_t axis, const uint8_t *keep);

/* ---- for passes ---- */
/* Copies the inputs in their order: call right after cop__copy_begin. */
cop_status cop__copy_inputs(cop_graph *out, const cop_graph *g, cop_vid *map);
/* Copies the weights that nobody read (see above), then outputs and aliases: call instead of cop__copy_end. */
cop_status cop__copy_rest(cop_graph *out, const cop_graph *g, cop_vid *map);
/* Copies node n as if it read `changed`: other attributes, inputs or wanted outputs (old graph's values). */
cop_status cop__copy_as(cop_graph *out, const cop_graph *g, cop_vid *map, cop_nid n, const cop_node *changed);
/* Ends a pass: frees and clears *out after a failure, returns st. */
cop_status cop__pass_end(cop_graph **out, cop_status st);
/* Lets `to` stand for the result `v` of a node that was left out, and inherit its name. */
void cop__map_to(cop_graph *out, const cop_graph *g, cop_vid *map, cop_vid v, cop_vid to);
/* The words lo and hi of a node whose op has COP_OP_ACT. */
void cop__act_get(const cop_graph *g, cop_nid n, float *lo, float *hi);
void cop__act_set(cop_graph *g, cop_nid n, float lo, float hi);

#endif
