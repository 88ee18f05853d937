/* SPDX-License-Identifier: Apache-2.0
 *
 * search.h - a network for a machine: which of the networks of a space is the best that fits. Step by step:
 *
 *   space     what can be chosen, as a table; a design is one choice, and prints as a network's text: space.def, space.c, block.c
 *   price     a design as it is deployed, int8, in the plan of the target, with RAM, flash, instructions: price.c
 *   choose    the space whose networks that fit compute most, without training: choose.c
 *   training  the settings that suit a space: training.c
 *   shared    the largest network of the space, whose weights all others are slices of: slices.c, shared.c
 *   judge     how good a design is, by a brief training, shared weights or a proxy: judge.def, judge.c, proxy.c
 *   next      which design is tried next, by evolution or chance: by.def, by.c
 *   finish    the best few, trained in full: finish.c
 *   keep      what was tried, in a checkpoint: keep.c
 *
 * Everything is a function of the seed and of what was tried before, so a search that was stopped goes on with the same
 * bits.
 */
#ifndef COP_SEARCH_H
#define COP_SEARCH_H

#include "core/options.h"
#include "graph/graph.h"

/* ---- spaces ---- */
enum {
	COP_STAGES = 4,
	COP_BLOCKS = 4,
	COP_SPAN = 6,
	COP_STAGE_GENES = 2 + 2 * COP_BLOCKS,
	COP_GENES = COP_STAGES * COP_STAGE_GENES
};
typedef struct cop_among {
	int32_t n, at[COP_SPAN];
} cop_among; /* what may be chosen, the smallest first */

struct cop_sketch;
typedef struct cop_space {
	cop_row row;
	const char *like; /* the network of the zoo whose settings of training suit it */
	void (*block)(struct cop_sketch *s);
	struct {
		int32_t k, tall, stride;
	} stem; /* a kernel k x k, tall x k where samples are more than three times as high as wide */
	int32_t n_stage;
	struct {
		int32_t width, stride;
	} stage[COP_STAGES];
	cop_among depth, kernel, expand, part; /* of a stage: blocks; of a block: kernel, width within in percent; of a
	                                          stage: its width in percent */
	cop_among scale, shrink; /* what makes several spaces of one row: percent of all widths; by what the stem's
	                            stride is multiplied */
} cop_space;
extern const cop_table cop__spaces;
const cop_space *cop__space(int i);

/* A choice within a space: of each stage its width, its depth, and of each block kernel and width within. All as places
 * in the spans. */
typedef struct cop_design {
	int32_t space, scale, shrink;
	uint8_t gene[COP_GENES];
} cop_design;
int32_t cop__gene_choices(const cop_space *s, int32_t i); /* 1: there is nothing to choose */
void cop__design_settle(
        cop_design *d); /* genes of blocks that are not there become 0, so that equal networks have equal genes */
void cop__design_end(cop_design *d, bool largest); /* the smallest of its space, or the largest */
void cop__design_draw(cop_design *d, uint64_t seed, uint32_t stream, uint64_t index);
bool cop__design_same(const cop_design *a, const cop_design *b);
/* A network as text (docs/networks.md) for samples x and so many classes. */
void cop__design_text(cop_text *t, const cop_design *d, const cop_type *x, int32_t classes);

/* What prints a block: its input is the line above, called `last`; it leaves the name of its result there. */
typedef struct cop_sketch {
	cop_text *t;
	char name[16], last[24];
	int32_t stage, block, stride, kernel, expand, in, width;
} cop_sketch;
int32_t cop__round_width(int64_t hundredths); /* to a multiple of 4, at least 4 */
void cop__block_inverted(cop_sketch *s);
void cop__block_residual(cop_sketch *s);
void cop__block_separable(cop_sketch *s);

/* ---- the work ---- */
/* A design that was judged. score: the higher the better; accuracy -1: it was not measured. */
typedef struct cop_judged_design {
	cop_design d;
	cop_figures figures;
	float score, accuracy;
} cop_judged_design;

typedef struct cop_searcher {
	cop_ctx *cx;
	const cop_search_args *s;
	const cop_train_args *given; /* of the caller */
	cop_train_args *a;           /* with what suits the space where the caller says nothing */
	cop_dataset *train, *valid;
	cop_dataset few; /* some of train, enough to quantise a network by whose plan is looked at */
	cop_target t;    /* without limits */
	int judge, by;   /* rows */
	cop_search_result *r;
	cop_design of;     /* the space that is looked at; its genes do not count */
	cop_graph *shared; /* the largest network, trained; NULL: nobody shares */
	cop_judged_design *tried;
	int32_t n_tried, cap_tried;
	double saved; /* when the checkpoint was written */
	cop_text run; /* what decides the result */
} cop_searcher;

/* ---- training.c ---- */
void cop__turn_to(cop_searcher *z, const cop_design *of); /* z->of and z->a become those of that space */
cop_train_args cop__search_training(
        const cop_searcher *z, int32_t stage, char path[1024]); /* with a checkpoint of that stage */

/* The network of a design, with random weights; scaled as training will scale its samples. */
cop_status cop__design_graph(cop_graph **out, const cop_searcher *z, const cop_design *d);

/* ---- price.c ---- */
cop_status cop__design_price(cop_figures *f, const cop_searcher *z, const cop_design *d);
/* The float network g in integers. exact: calibrated and shrunk, as it will run; else on one sample, with all its channels,
 * for its plan alone. */
cop_status cop__search_deploy(cop_graph **out, const cop_searcher *z, const cop_graph *g, bool exact);
bool cop__price_fits(const cop_searcher *z, const cop_figures *f);
/* By what part the limits are exceeded, summed over them; 0: it fits. What is lacking goes into text. */
double cop__price_excess(const cop_searcher *z, const cop_figures *f, char *text, size_t size);

/* ---- choose.c ---- */
/* Moves d on to the next space that the caller wants, in the table's order; the first one behind .space = -1. */
bool cop__next_space(cop_design *d, const cop_searcher *z);
cop_status cop__choose_space(cop_searcher *z); /* z->of. COP_BUDGET: no network of any space fits */

/* ---- slices.c ---- */
/* Copies between two tensors of one name: small has the first channels of big and the middle of its kernels. */
void cop__slice(const cop_tensor *small, const cop_tensor *big, bool to_small);
cop_status cop__slice_graph(cop_graph *small, const cop_graph *big); /* all weights and states that both have */

/* ---- shared.c ---- */
cop_status cop__shared_train(cop_searcher *z); /* z->shared */
cop_status cop__shared_take(cop_graph **out, const cop_searcher *z,
        const cop_design *d); /* its slice, with batch norm's statistics taken anew */
cop_status cop__renorm(
        cop_graph *g, const cop_searcher *z); /* running means become those of some hundred training samples */

/* ---- judge.c, proxy.c ---- */
typedef struct cop_judge {
	cop_row row;
	bool shares, scores; /* it needs z->shared; it needs validation samples */
	cop_status (*judge)(cop_judged_design *j, const cop_searcher *z);
} cop_judge;
extern const cop_table cop__judges;
const cop_judge *cop__judge(int i);
cop_status cop__judge_train(cop_judged_design *j, const cop_searcher *z);
cop_status cop__judge_shared(cop_judged_design *j, const cop_searcher *z);
cop_status cop__judge_macs(cop_judged_design *j, const cop_searcher *z);
cop_status cop__judge_grad_norm(cop_judged_design *j, const cop_searcher *z);
cop_status cop__judge_snip(cop_judged_design *j, const cop_searcher *z);

/* ---- by.c ---- */
typedef struct cop_by {
	cop_row row;
	void (*draw)(cop_design *d, const cop_searcher *z, uint64_t index);
} cop_by;
extern const cop_table cop__bys;
const cop_by *cop__by(int i);
/* The next design, which fits and is new, with its figures; *more false: none was found. */
cop_status cop__next_design(cop_judged_design *j, bool *more, const cop_searcher *z);
int32_t cop__best_tried(const cop_searcher *z, int32_t n); /* of the first n; the first of equals; -1: none */

cop_status cop__search_finish(cop_graph **out, cop_searcher *z); /* finish.c: of the best designs, the one that is best once they are trained */

/* ---- keep.c ---- */
cop_status cop__search_begin(cop_searcher *z); /* z->run */
/* Fills z with what a checkpoint holds, if there is one and the caller wants to go on; *spaces: the space was chosen
 * then. */
cop_status cop__search_load(cop_searcher *z, bool *spaces);
cop_status cop__search_save(cop_searcher *z, bool now); /* now false: only where the last time is some seconds ago */

#endif
