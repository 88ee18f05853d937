/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.h - what the files of this folder share: one emission, and the printing of its parts.
 * Text is built whole and handed to the caller's function; nothing here opens a file.
 */
#ifndef COP_EMIT_H
#define COP_EMIT_H

#include "emit/embedded.h"
#include "kernel/keep.h"
#include "plan/plan.h"

enum { COP_EMIT_INFER, COP_EMIT_TRAIN, COP_EMIT_ENTRIES };

/* Kernel files, each once. */
typedef struct cop_emit_list { const cop_embedded *file[64]; int n; } cop_emit_list;

typedef struct cop_emission {
	cop_ctx *cx;
	const cop_graph *model;
	cop_graph *graph[COP_EMIT_ENTRIES]; /* TRAIN is NULL for inference alone */
	cop_plan *plan;
	char name[64], upper[64];           /* the C prefix, and the same for macros */
	size_t flash, ram;                  /* bytes of weights and images in flash; of arrays in RAM, of either kind */
	cop_emit_list kernels;
	cop_file_fn *fn;
	void *ud;
} cop_emission;

/* ---- header.c: <name>.h ---- */
void cop__emit_header(cop_text *o, const cop_emission *e);
const char *cop__emit_ctype(const cop_type *t);
/* "input", "input2", ... for the i-th. */
const char *cop__emit_numbered(char buf[24], const char *word, int i);
/* The extra input of the loss: "label" (int32_t) or "target" (float). */
cop_vid cop__emit_truth(const cop_graph *g);
/* Text of a name that may stand in a comment. */
const char *cop__emit_plain(char buf[96], const char *name);

/* ---- interface.c: of the header, what an input or output is ---- */
bool cop__emit_has_scale(const cop_type *t); /* integers that stand for reals */
void cop__emit_float(cop_text *o, float v);
void cop__emit_facts(cop_text *o, const cop_emission *e, const cop_graph *g, bool output, int i); /* macros */
void cop__emit_conversions(cop_text *o, const cop_emission *e, const cop_graph *g);               /* inline functions */

/* ---- source.c: <name>.c ---- */
cop_status cop__emit_source(cop_text *o, const cop_emission *e);
/* 'r', 't': in the names of what belongs to a step of the run or of the training step */
extern const char cop__emit_tag[COP_EMIT_ENTRIES];

/* ---- weights.c: arrays of words ---- */
/* "w3", and the member of its union that suits the type. */
const char *cop__emit_member(const cop_type *t);
/* FIXED values, rearranged ones, images of written ones, segments */
cop_status cop__emit_weights(cop_text *o, const cop_emission *e);
void cop__emit_init(cop_text *o, const cop_emission *e);          /* the body of <name>_init */
size_t cop__emit_flash_bytes(const cop_emission *e);
bool cop__emit_codes(const cop_emission *e, bool adaptive); /* is a weight coded in flash, by the adaptive code or by tables? */
/* The step whose rearranged weight can be used: an earlier one with the same bytes, or this. *at: its entry. */
int32_t cop__emit_same_image(const cop_emission *e, int entry, int32_t s, int *at);
bool cop__emit_packs(const cop_step *st); /* its weights change, and are packed before each call */

bool cop__emit_has_image(const cop_emission *e, int32_t var); /* are its first contents in flash? */

/* ---- keep.c: what was learnt, kept in flash ---- */
bool cop__emit_keeps(const cop_emission *e); /* is there anything to keep? */
cop_status cop__emit_keep(cop_text *o, const cop_emission *e);      /* of <name>.c */
void cop__emit_keep_header(cop_text *o, const cop_emission *e);     /* of <name>.h */

/* ---- files.c: texts that are copied ---- */
const cop_embedded *cop__emit_find(const char *folder, const char *path); /* NULL: none */
cop_status cop__emit_text(const cop_emission *e, const char *path, cop_text *o); /* hands the text on; frees it */
size_t cop__emit_line(const char *at, const char *end);                           /* its length, with the newline */
/* of the kernels' text: the ending of their functions' names */
uint32_t cop__emit_version(void);
/* The network's .c files and its kernels' with another ending; hot: those worth compiling for speed. */
void cop__emit_sources(cop_text *o, const cop_emission *e, char ending, bool hot);
cop_status cop__emit_kernels(cop_emission *e); /* kernel.h, math.h and the kernels that the plan calls, <name>.mk */

/* ---- board.c: port/<target>, and what its `parts` names, into check/ ---- */
cop_status cop__emit_board(const cop_emission *e);
/* Fails when one of the board's files has the name of <name>.c or <name>.h. */
cop_status cop__emit_check_name(const cop_emission *e);

/* ---- guide.c: README.md and CMakeLists.txt ---- */
cop_status cop__emit_guide(const cop_emission *e);

#endif
