/* SPDX-License-Identifier: Apache-2.0
 *
 * cli.h - what the verbs share. A verb parses its options with argp, calls coppice.h and prints; it returns a
 * status, and main says the sentence and exits with the negated code. Figures go to stdout (as JSON with --json),
 * all else to stderr. No verb writes an output file before its work has succeeded.
 */
#ifndef COP_CLI_H
#define COP_CLI_H

#include "coppice.h"

#include <argp.h>
#include <stdio.h>

#define LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))
#define CLI_TRY(expr)                                                                                                  \
	do {                                                                                                           \
		cop_status st__ = (expr);                                                                              \
		if (st__ != COP_OK) return st__;                                                                       \
	} while (0)

/* How a network is deployed (form.c): --rounding tflite or single, NULL as the file has it; --as-is nothing is taken out. */
typedef struct cli_form {
	const char *rounding;
	bool as_is;
} cli_form;

typedef struct cli {
	cop_ctx *cx;
	cli_form *form; /* where its options go; NULL: the verb does not have them */
	bool json, quiet, verbose, tty; /* tty: stderr is a terminal that wants progress */
	uint64_t seed;
	int threads;        /* 0: as many as there are processors */
	cop_import_dim dim[16];     /* --dim, --shape: what an .onnx leaves open */
	cop_import_shape shape[16];
	int n_dim, n_shape;
	char command[1000]; /* the line as it was typed */
	FILE *object; /* --json: the object, printed at the end */
	int members, depth; /* of it */
	bool wrote;         /* the result is written: if it misses its aims (code 5), the object has its figures all the same */
	int32_t epoch;      /* of the progress line */
	bool said_data, said_fit; /* what was decided about the data set, and its samples, is said once */
	char stage[32];
	void *piped; /* the bytes of a network that came by a pipe */
	size_t piped_size;
	uint64_t told[64]; /* hashes of what the log said */
	int n_told;
	char said[512]; /* a sentence of the CLI's own; else the context's */
} cli;

typedef cop_status cli_run(cli *c, int argc, char **argv);
typedef struct cli_verb {
	const char *name, *args, *summary;
	cli_run *run;
} cli_verb;
#define VERB(name, args, summary) cli_run cmd_##name;
#include "cmd.def"
#undef VERB

/* ---- options (options.c) ---- */
/* One option parser of a verb: `doc` is the text of --help, with an example behind "\v". */
typedef struct cli_parse {
	cli *c;
	void *ud;
} cli_parse;
extern const struct argp cli_common; /* --json --seed --threads --quiet --verbose --dim --shape */
/* Parses; args gets up to n positional arguments, at least `least`. option: NULL, or handles the verb's own keys
 * and returns ARGP_ERR_UNKNOWN for others. Does not return when the line is wrong (exit 2) or asks for --help (0). */
typedef error_t cli_option(int key, char *arg, struct argp_state *state, void *ud);
extern const struct argp cli_form_argp; /* --rounding --as-is, of verbs that set cli.form */
cop_status cli_form_apply(cop_graph **g, const cli_form *f);
typedef struct cli_line {
	const struct argp_option *options;
	const char *args, *doc;
	cli_option *option;
	void *ud;
	const char **arg;
	int n, least;
} cli_line;
cop_status cli_parse_line(cli *c, const cli_line *l, int argc, char **argv);
struct cli_samples;
cop_status cli_parse_samples(cli *c, const cli_line *l, struct cli_samples *s, int argc, char **argv); /* those of samples.c, too */
cop_status cli_parse_scaling(cli *c, const cli_line *l, struct cli_samples *s, int argc, char **argv); /* of those what a network keeps */
/* Instead of argp_error: the same, and an object with --json. */
void cli_misuse(const struct argp_state *state, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
/* Ends the program with a sentence about the first option that is none, with the nearest; -h becomes --help. */
void cli_check_options(const cli *c, const struct argp *a, int argc, char **argv);
bool cli_wants_json(int argc, char **argv);
/* Numbers of options; outside lo..hi ends with a sentence that names the option. */
int32_t cli_int(struct argp_state *state, const char *name, const char *text, int32_t lo, int32_t hi);
size_t cli_size(struct argp_state *state, const char *name, const char *text); /* "20000", "64K", "2M" */
int64_t cli_many(struct argp_state *state, const char *name, const char *text); /* "20000"; "64K", "2M" are thousands and millions */
float cli_real(struct argp_state *state, const char *name, const char *text, float lo, float hi);
int cli_threads(const cli *c);

/* ---- saying and failing (say.c) ---- */
#define CLI_PRINTF(f, a) __attribute__((format(printf, f, a)))
void cli_show(FILE *f, const char *fmt, ...) CLI_PRINTF(2, 3);      /* controls and bytes that are no UTF-8 as \xHH; \n and \t stay */
cop_status cli_fail(cli *c, cop_status st, const char *fmt, ...) CLI_PRINTF(3, 4);
void cli_note(const cli *c, const char *fmt, ...) CLI_PRINTF(2, 3); /* to stderr, unless --quiet */
void cli_out(const cli *c, const char *fmt, ...) CLI_PRINTF(2, 3);  /* to stdout, unless --json or --quiet */
/* Members of the JSON object that main opens and closes; nothing without --json. */
enum { CLI_JSON_VERSION = 1 }; /* of the form: docs/json.md */
void cli_put_error(const char *before, const char *text, cop_status st); /* to stdout: an object of its own, or the end of the one that `before` begins */
void cli_put_text(cli *c, const char *key, const char *v);
void cli_put_bool(cli *c, const char *key, bool v);
void cli_put_int(cli *c, const char *key, int64_t v);
void cli_put_real(cli *c, const char *key, double v);
void cli_put_list(cli *c, const char *key); /* opens a list of objects ... */
void cli_put_rows(cli *c, const char *key); /* opens a list of numbers (key NULL for each), or of such lists */
void cli_put_end(cli *c);
void cli_put_item(cli *c, const char *key); /* ... an object in it (key NULL), or a named one */
void cli_put_item_end(cli *c);
void cli_number_text(char out[32], double v); /* 1234567 -> "1,234,567" */

/* ---- progress and stopping (progress.c) ---- */
void cli_progress(void *ud, const cop_epoch *e); /* ud: cli; one line that is written over */
void cli_progress_end(const cli *c);
void cli_catch_signals(cli *c); /* the first SIGINT stops, the second kills */
void cli_stop(void); /* as that first one does */

/* ---- models, data, files (files.c) ---- */
cop_status cli_model(cop_graph **out, cli *c, const char *file_or_zoo);
cop_import_args cli_import_args(const cli *c); /* with --dim and --shape */
cop_status cli_model_for(
        cop_graph **out, cli *c, const char *file_or_zoo, const cop_dataset *d, cop_layout layout); /* a zoo model is built for the set */
bool cli_is_file_name(const char *file_or_zoo);
cop_status cli_can_write(cli *c, const char *path); /* before hours of work: its folder is there and may be written */
/* The same, and the ending is one that the verb writes: .cop or none; exports: .onnx, .safetensors. */
cop_status cli_can_write_model(cli *c, const char *path, bool exports);
/* Paths of one command line; NULL: not given. One that is written may be no other one's file, but -o may be the network. */
typedef struct cli_path {
	const char *what, *path;
	bool written;
} cli_path;
cop_status cli_apart(cli *c, const cli_path *p, int n);
/* A file at `path` that does not begin like what we write there is somebody else's. */
cop_status cli_only_over(cli *c, const char *what, const char *path, const char *begins);
/* --resume where no checkpoint is: says that the run begins at the start. */
cop_status cli_can_resume(cli *c, const cop_train_args *a);
enum { CLI_MOST_PATH = 1024 };
cop_status cli_append(char out[CLI_MOST_PATH], cli *c, const char *path, const char *end);
cop_status cli_recipe(char out[CLI_MOST_PATH], cli *c, const char *said); /* a file, or a name; a stage stays as it is (recipes.c) */
bool cli_is_stage(const char *said);                                      /* "prune: {keep: 0.1}", and no file */
cop_status cli_recipe_read(char **text, size_t *size, cli *c, const char *recipe); /* what cli_recipe found; the caller frees it */
void cli_graph_name(char out[64], const cop_graph *g);
int64_t cli_file_size(const char *path); /* -1: none */
void cli_beside(char *out, size_t size, const char *path,
        const char *end);                                  /* "a/net.cop", ".history.json" -> "a/net.history.json" */
/* Do as many numbers of two shapes, their axes from those on, lie in one order for certain? They do where the shapes differ by axes of length
 * 1 alone, and where a flat one meets one of at most two axes. */
bool cli_same_order(const cop_type *a, int from_a, const cop_type *b, int from_b);
void cli_shape(char *out, size_t size, const cop_type *t); /* "1x28x28x1" */
/* The deployed form of a model at a batch size (0: as the model is), planned for a target; all NULL after a failure. */
typedef struct cli_deployed {
	cop_graph *g;
	cop_plan *plan;
	cop_session *s;
} cli_deployed;
/* Of g as it is, to be counted, not run: without the weights that folding changes, unless kernels are to be chosen by them. */
cop_status cli_plan(cli_deployed *out, const cop_graph *g, const cop_target *t, bool weights);
cop_status cli_deploy_form(cli_deployed *out, cli *c, const char *path, int32_t batch, const cop_target *t, bool session, const cli_form *form);
/* A plan of d->g and a session on this machine, with all its kernels or the portable ones. */
cop_status cli_start(cli_deployed *d, cli *c, bool portable, int threads);
void cli_deployed_free(cli_deployed *d); /* after a failure of cli_start, too */

const char *cli_code_name(cop_code c); /* tables, adaptive, auto; NULL behind the last (form.c) */

/* ---- samples for a network (samples.c) ---- */
typedef struct cli_samples {
	float times, mean[COP_MOST_CHANNELS], std[COP_MOST_CHANNELS]; /* 0: not given */
	int32_t means, stds;
	cop_layout layout;
	cop_task task;
	const char *target, *classes, *group, *only;
	float valid; /* of cop_data_args */
} cli_samples;
extern const struct argp cli_samples_argp, cli_scaling_argp; /* scaling: of these what a network keeps */
bool cli_samples_scale(const cli_samples *s); /* was scaling or a layout given? */
cop_status cli_samples_set(cli *c, cop_graph *g, const cli_samples *s); /* what was given takes the place of what g says */
cop_status cli_classes_set(cli *c, cop_graph *g, const char *path); /* names of a file, one a line */
/* g: NULL, or the network, which decides what a table's target is and how large pictures become. Says what the reader decided. */
cop_status cli_data_open(cop_dataset **out, cli *c, const cli_samples *s, const cop_graph *g, const char *name, const char *split, int32_t limit);
cop_status cli_data_fits(cli *c, const cop_graph *g, cop_dataset *d); /* or why not; says how samples are turned and scaled */
/* Warns of an accuracy near chance, or of one that is less than half of what it was (before; 0 or less: not known). */
void cli_doubt(const cli *c, const char *what, double accuracy, int32_t classes, int32_t count, double before);
enum { CLI_CLASS = 256, CLI_MOST_FILES = 4096 };
void cli_class(char out[CLI_CLASS], const cop_graph *g, int32_t k); /* its name, without what a terminal would obey; or its number */
int32_t cli_best(const float *y, int32_t n); /* the place of the largest, the first of equals */
int32_t cli_outputs(const cop_graph *g); /* numbers for one sample */

/* ---- sets of inputs, one after the other, as emitted programs read them (inputs.c) ---- */
typedef struct cli_inputs {
	const char *npy[8]; /* an array for each input of the network; none: random numbers by --seed */
	int n_npy;
	int32_t sets; /* of random numbers */
} cli_inputs;
cop_status cli_inputs_write(cli *c, const cop_graph *g, const cli_inputs *in, const char *path);

/* ---- other programs (child.c) ---- */
typedef struct cli_child {
	char text[16384]; /* the end of what it printed */
	size_t len;
	int code; /* its exit status; 128 + the signal that ended it */
} cli_child;
/* Runs argv and waits at most that many seconds. Fails when it cannot be started or does not end. */
cop_status cli_child_run(cli_child *out, cli *c, const char *const *argv, int seconds);
bool cli_has_program(const char *name);

/* ---- more samples than a run takes (stack.c) ---- */

/* The shape of the results of several runs, from that of one: its first axis grows from `held` to n, where it is so long; else there is a new
 * one, for the runs. */
void cli_stacked(cop_type *t, int32_t held, int32_t n);

/* ---- one run on several arrays (run_once.c) ---- */
enum { CLI_MOST_INPUTS = 16 };
/* An .onnx, several inputs, or results that go to a folder. inputs: names, NULL behind the last. */
bool cli_runs_once(const char *model, const char *const *inputs, const char *out);
cop_status cli_run_once(cli *c, const char *model, const char *const *inputs, const char *out);

/* ---- training options, shared by train and compress (train_options.c) ---- */
typedef struct cli_train {
	cop_train_args a;
	const char *data, *valid, *log;
	int32_t limit;
	int32_t stop_after;
	bool has_lr, has_smooth, has_keep;
	char policies[512]; /* where a.policies may point */
	char augment[64]; /* where a.augment may point */
} cli_train;
extern const struct argp_option cli_train_options[];
error_t cli_train_option(int key, char *arg, struct argp_state *state, cli_train *t);
/* Of a network of integers, the layers that *update names become trainable: *layers, 0 of any other. *update is then qsgd if it was NULL. */
cop_status cli_trainable(cop_graph **g, const char **update, int32_t *layers);
cop_status cli_train_settle(cli *c, cli_train *t); /* once all are read: --stop-after becomes a policy, and keeps the best epoch */
/* What was not given on the line: cop_train_defaults. fresh: the network is not trained yet. */
void cli_train_defaults(cli_train *t, const char *name, const cop_dataset *data, bool fresh);
void cli_train_put(cli *c, const cop_train_args *a); /* what is used, as members of the object ... */
void cli_train_say(cli *c, const cop_train_args *a); /* ... and in one line, too */

/* ---- a recipe with each combination of some options (sweep.c) ---- */
cop_status cli_sweep(cli *c, const char *text, const char *recipe, const char *out, int argc, char **argv);

/* ---- what compress is asked for without a recipe (aims.c) ---- */
typedef struct cli_aim { cop_aims a; bool given; } cli_aim;
extern const struct argp_option cli_aim_options[];
error_t cli_aim_option(int key, char *arg, struct argp_state *state, cli_aim *a);
cop_status cli_aim_settle(cli *c, const cli_aim *a, const char *recipe, const char *data); /* a recipe, or aims and data */
void cli_aim_defaults(const cli_train *given, cop_train_args *a); /* after cli_train_defaults; given: the options before it */
void cli_aim_table(cli *c, const cli_aim *a, const cop_compress_result *r);

/* ---- what a recipe did (orders.c) ---- */
void cli_recipe_tables(cli *c, const cop_compress_result *r); /* each stage; with order: search each order before them */

/* ---- what is trained with, and scored on after each epoch (valid.c) ---- */
cop_status cli_train_open(cop_dataset **out, cli *c, const cli_samples *samples, const cop_graph *g, const cli_train *t);
/* train: what cli_train_open gave. *out NULL: nothing. */
cop_status cli_valid_open(cop_dataset **out, cli *c, const cli_samples *samples, const cop_graph *g, const cli_train *t, const cop_dataset *train);

/* ---- a line for each epoch (train_log.c) ---- */
typedef struct cli_log {
	cli *c;
	const char *path;
	FILE *f; /* NULL: no log */
	char *text;
	size_t size;
	cop_status st; /* of writing it */
} cli_log;
cop_status cli_log_begin(cli_log *l, cli *c, const char *path); /* before any work: may it be written? path NULL: there is none */
void cli_log_epoch(cli_log *l, const cop_epoch *e);             /* stops the training when it can't be written */
cop_status cli_log_end(cli_log *l, cop_status st);              /* st of the training, or why the log made it stop */

/* ---- samples for several inputs (arrays.c) ---- */
typedef struct cli_array {
	char path[512];
	cop_tensor t;
	int64_t each; /* numbers of a sample */
	cop_dataset d;
} cli_array;
typedef struct cli_arrays {
	cli_array a[CLI_MOST_INPUTS]; /* by input */
	cop_dataset *more[CLI_MOST_INPUTS]; /* those of the second input and on */
	int n_more;
} cli_arrays;
bool cli_is_arrays(const char *data); /* "a.npy,b.npy" or "x=a.npy", and no file of that name */
cop_status cli_arrays_open(cli_arrays *out, cli *c, const cop_graph *g, const char *data); /* zeroed; free with cli_arrays_free, after a failure too */
void cli_arrays_free(cli_arrays *a, cli *c);

#endif
