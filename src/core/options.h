/* SPDX-License-Identifier: Apache-2.0
 *
 * options - the one language of options. Whatever can be named with options (passes, stages, scores, schedules, losses, updates,
 * policies, augmentation) describes them in a table: from it texts are read, help and pages are printed, and mistakes are told.
 *
 *   key=value,key=value        also key:value, and blanks for commas; a flag needs no value
 *   NAME:key=value,...         a row of a table with its options; also NAME key=value ...
 *
 *   key=(NAME key=value ...)      a value that holds gaps, and options of its own
 *
 * A table of options ends with one without a name. Each option is a field of the struct that the row's function receives.
 */
#ifndef COP_OPTIONS_H
#define COP_OPTIONS_H

#include "core/core.h"

#include <stddef.h>

typedef enum cop_option_kind {
	COP_WHOLE, /* int32_t */
	COP_REAL,  /* float */
	COP_FLAG,  /* bool: the name alone, or yes, no, true, false, 1, 0 */
	COP_WORD,  /* int32_t: which of the words, or which row of a table */
	COP_TEXT,  /* char[] */
	COP_NAMES, /* char[]: which weights, by name: `*` for any run, `|` between alternatives */
	COP_RATES, /* cop_rates: a number, or a pattern of names with a number each: conv*:0.5;fc*:0.1 */
	COP_CHOICE, /* cop_choice: a row of a table; its options are written beside the name, in any order */
} cop_option_kind;

enum { COP_MAX_RATES = 16 };
typedef struct cop_rate { char layers[64]; float value; } cop_rate;
typedef struct cop_rates { cop_rate at[COP_MAX_RATES]; int32_t n; } cop_rates; /* the first pattern that matches counts */
float cop__rate_of(const cop_rates *r, const char *name, float otherwise);

enum { COP_CHOICE_ROOM = 64 };
typedef struct cop_choice {
	int32_t row;
	uint64_t given;                                              /* of the row's options */
	union { max_align_t align; char bytes[COP_CHOICE_ROOM]; } o; /* the row's struct */
} cop_choice;

typedef struct cop_option {
	const char *name, *help;
	cop_option_kind kind;
	size_t offset, size;           /* of the field; texts hold size - 1 bytes */
	double lo, hi;                 /* of numbers, both allowed */
	const char *words;             /* of a COP_WORD: "cubic|once" */
	const struct cop_table *among; /* or the names of its rows; of a COP_CHOICE the rows */
	const char *value;             /* what it is when nobody sets it, as one would write it; NULL: zeros */
	bool needed;                   /* has to be set */
} cop_option;

/* Rows of such a table: T is the struct, and the option is called like its field. */
#define COP_OPTION_FIELD(T, field, k, text) .name = #field, .help = text, .kind = k, .offset = offsetof(T, field), .size = sizeof(((T *)0)->field)
#define COP_OPT_WHOLE(T, field, from, to, def, text) {COP_OPTION_FIELD(T, field, COP_WHOLE, text), .lo = from, .hi = to, .value = def}
#define COP_OPT_REAL(T, field, from, to, def, text) {COP_OPTION_FIELD(T, field, COP_REAL, text), .lo = from, .hi = to, .value = def}
#define COP_OPT_FLAG(T, field, def, text) {COP_OPTION_FIELD(T, field, COP_FLAG, text), .value = def}
#define COP_OPT_WORD(T, field, list, def, text) {COP_OPTION_FIELD(T, field, COP_WORD, text), .words = list, .value = def}
#define COP_OPT_AMONG(T, field, table, def, text) {COP_OPTION_FIELD(T, field, COP_WORD, text), .among = table, .value = def}
#define COP_OPT_TEXT(T, field, def, text) {COP_OPTION_FIELD(T, field, COP_TEXT, text), .value = def}
#define COP_OPT_NAMES(T, field, def, text) {COP_OPTION_FIELD(T, field, COP_NAMES, text), .value = def}
#define COP_OPT_RATES(T, field, from, to, def, text) {COP_OPTION_FIELD(T, field, COP_RATES, text), .lo = from, .hi = to, .value = def}
#define COP_OPT_CHOICE(T, field, table, def, text) {COP_OPTION_FIELD(T, field, COP_CHOICE, text), .among = table, .value = def}
#define COP_OPT_END {.name = NULL}

/* Options that are read together, into a struct each. where: what a sentence about them begins with ("--augment", "recipe, line 3: prune"). */
typedef struct cop_options {
	cop_ctx *cx;
	const char *where;
	struct { const cop_option *option; void *to; uint64_t given; } part[3]; /* option NULL: no such part; given: a bit for each that was set */
} cop_options;

void cop__options_default(const cop_option *o, void *to);
/* One option of a text: its key, and its value, without the parentheses around it, or NULL. */
typedef struct cop_setting { const char *key, *value; size_t key_len, value_len; } cop_setting;
bool cop__setting_next(cop_setting *it, const char **at, const char *end); /* moves on behind it; false: there is no more */
/* One option; value NULL: the name stands alone. Twice is once too often. Choices have to be set before what belongs to their rows:
 * cop__options_read sees to that, others ask cop__option_is_choice first. */
bool cop__option_known(const cop_options *o, const char *key, size_t len);
bool cop__option_is_choice(const cop_options *o, const char *key, size_t len);
cop_status cop__option_set(cop_options *o, const char *key, size_t key_len, const char *value, size_t value_len);
cop_status cop__option_rate(cop_options *o, const char *key, const char *pattern, const char *value); /* adds one to a COP_RATES */
cop_status cop__options_read(cop_options *o, const char *text, size_t len);
cop_status cop__options_end(const cop_options *o); /* or which needed one is missing */
bool cop__option_given(const cop_options *o, const char *key);
/* What may be written for it: "0 to 1", "cubic, once", "yes or no". */
typedef struct cop_values { char text[400]; } cop_values;
const char *cop__option_values(cop_values *v, const cop_option *o);
void cop__options_page(cop_text *t, const cop_option *o); /* a table in Markdown */

/* ---- tables of rows ---- */
/* What every row of a .def begins with. */
typedef struct cop_row {
	const char *name, *summary; /* one line for people */
	const char *source;         /* who published it: "Zhu and Gupta 2017, arXiv 1710.01878"; NULL: nobody in particular */
	const cop_option *options;  /* NULL: none */
	size_t size;                /* of the struct that they fill */
} cop_row;

#define COP_ROW(n, text) {.name = n, .summary = text} /* without options */

typedef struct cop_table {
	const char *name;               /* "scores" */
	const char *one;                /* "score" */
	const char *summary;
	const cop_row *(*row)(int i);   /* NULL past the end */
} cop_table;

int cop__row_index(const cop_table *t, const char *name, size_t len); /* -1: none */
/* "there is no score 'magnitud'; there are magnitude, random; did you mean 'magnitude'?" where: NULL, or what the sentence begins with. */
cop_status cop__no_row(cop_ctx *cx, const char *where, const cop_table *t, const char *name, size_t len);
/* Of "NAME:options" or "NAME options": the row, and what follows its name. */
cop_status cop__row_find(int *i, const char **rest, cop_ctx *cx, const char *where, const cop_table *t, const char *text, size_t len);
/* The same, with the options read into `to`, which has room for the row's. */
cop_status cop__row_read(int *i, void *to, size_t room, cop_ctx *cx, const char *where, const cop_table *t, const char *text, size_t len);

#endif
