/* SPDX-License-Identifier: Apache-2.0
 *
 * coppice.h - the public interface: models, passes, plans, sessions, training, data, emission.
 *
 * A model is a graph, and a training step is another graph. A plan of a graph is run here or printed as C. Every call that can fail
 * returns a cop_status and leaves one sentence in the context (cop_error_text). Results are returned through the first parameter, and
 * are NULL after a failure. docs/walk.md shows the calls at work; docs/glossary.md explains the terms.
 *
 * Ownership: what you get from a cop_x_new, _build or _read call you free with cop_x_free. A plan refers to the weights of its
 * graphs, and a session to its plan, so free them in reverse order.
 * Threads: one context and all that hangs on it belong to one thread at a time: graphs of a context share weights, which are counted. No globals.
 * Arguments are required unless a comment says that they are optional. If you pass NULL for a graph, plan, session, data set, name, path or
 * result, or an entry, index or segment that does not exist, you get COP_ARG and a sentence (no sentence if there is no context to hold
 * it). Calls without a status then return NULL, 0 or false. x_free(NULL) does nothing. Whether memory is as large as its type or size
 * says cannot be checked.
 * Layouts: activations NHWC, weights [out, kh, kw, in] (OHWI), fully connected [out, in].
 */
#ifndef COPPICE_H
#define COPPICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* what is declared here is all that a shared library exports */
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define COP_VERSION "0.1.0"

/* ---- status and context ------------------------------------------------------------------ */

/* The command-line program exits with the negated code. */
#define COP_STATUS_MAP(X)                                                                          \
	X(OK, 0, "ok")                                                                             \
	X(NOMEM, -1, "out of memory")                                                              \
	X(ARG, -2, "bad argument")                                                                 \
	X(SHAPE, -3, "shapes do not match")                                                        \
	X(NOKERNEL, -4, "no kernel for this op on this target")                                    \
	X(BUDGET, -5, "does not fit the budget")                                                   \
	X(FORMAT, -6, "malformed file")                                                            \
	X(IO, -7, "i/o error")                                                                     \
	X(DIVERGED, -8, "training diverged")                                                       \
	X(STOPPED, -9, "stopped on request")                                                       \
	X(DIFFERS, -10, "results differ")

typedef enum cop_status {
#define X(name, code, text) COP_##name = code,
	COP_STATUS_MAP(X)
#undef X
} cop_status;

const char *cop_status_text(cop_status code);

/* The index of the known word that a mistyped word was probably meant to be: the one that needs the fewest edits (letters inserted, omitted,
 * changed, or swapped with a neighbour), at most a third of its letters. known returns word i, and NULL after the last. -1: no word is near. */
typedef const char *cop_word_fn(void *ud, int i);
int cop_nearest(const char *word, cop_word_fn *known, void *ud);

/* One function does everything, as in Lua: with nsize 0 it frees p, with p NULL it allocates, otherwise it resizes.
 * It returns NULL on failure; p then stays valid. */
typedef struct cop_alloc {
	void *(*fn)(void *ud, void *p, size_t osize, size_t nsize);
	void *ud;
} cop_alloc;

typedef enum cop_level { COP_LOG_ERROR, COP_LOG_WARN, COP_LOG_INFO, COP_LOG_DEBUG } cop_level;
typedef void cop_log_fn(void *ud, cop_level level, const char *text);

typedef struct cop_ctx cop_ctx;

cop_status cop_ctx_new(cop_ctx **out, const cop_alloc *alloc); /* alloc NULL: the C library's */
void cop_ctx_free(cop_ctx *cx);
void cop_ctx_log(cop_ctx *cx, cop_level upto, cop_log_fn *fn, void *ud);
/* Make text of unknown origin (a name in a model, the name of a file) safe for people and for programs. Both write whole characters and
 * a zero byte, at most size bytes, and return the length of the whole. Shown: control characters and bytes that are not UTF-8 become
 * \xHH, so that the text cannot control a terminal; errors and the log are treated this way already. JSON: the inside of a string as in RFC
 * 8259; bytes that are not UTF-8 become U+FFFD. */
size_t cop_text_shown(char *out, size_t size, const char *text);
size_t cop_text_json(char *out, size_t size, const char *text);
const char *cop_error_text(const cop_ctx *cx); /* the first failure since the last cop_error_clear, or "" */
void cop_error_clear(cop_ctx *cx);
const char *cop_cpu_text(const cop_ctx *cx);   /* "avx512", "avx2", "neon" or "ref", after COPPICE_ISA */

/* When *flag becomes true, long calls end with COP_STOPPED at their next step. You may set it in a signal handler or a log function. */
void cop_ctx_stop(cop_ctx *cx, const volatile bool *flag);

/* ---- tensors ------------------------------------------------------------------------------ */

enum { COP_MAX_DIM = 6 };

/* name, text, bits of one element */
#define COP_DTYPE_MAP(X)                                                                           \
	X(F32, "f32", 32) X(I32, "i32", 32) X(I8, "i8", 8) X(U8, "u8", 8) X(I4, "i4", 4) X(BIT, "bit", 1)                    \
	X(I16, "i16", 16) X(I2, "i2", 2)
typedef enum cop_dtype {
	COP_NOTYPE,
#define X(name, text, bits) COP_##name,
	COP_DTYPE_MAP(X)
#undef X
} cop_dtype;

/* How a constant is stored in memory: COP_DENSE, the elements in order, or one of the compressed forms of docs/formats.md, by number. */
typedef int32_t cop_enc;
enum { COP_DENSE = 0 };
const char *cop_enc_name(cop_enc e); /* "dense", "palette", ...; NULL past the last */

typedef struct cop_quant { const float *scale; const int32_t *zero; int8_t axis; } cop_quant; /* axis -1: per tensor */

typedef struct cop_type {
	cop_dtype dtype;
	cop_enc enc;
	int32_t rank, dim[COP_MAX_DIM];
	uint32_t enc_bytes; /* length of the encoded blob; 0 when DENSE */
	cop_quant q;
} cop_type;

typedef struct cop_tensor { cop_type type; void *data; } cop_tensor; /* a view: it does not own the data */

/* Copies elements of `from` to `to`, as many as `to` has. Between f32 and integers with a scale (cop_type.q) it converts:
 * real = scale * (q - zero), rounded to the nearest, ties away from zero, and clamped. */
cop_status cop_tensor_copy(cop_ctx *cx, const cop_tensor *to, const cop_tensor *from);
int64_t cop_type_count(const cop_type *t); /* elements */
size_t cop_type_bytes(const cop_type *t);  /* in memory */

/* ---- graphs -------------------------------------------------------------------------------- */

typedef struct cop_graph cop_graph;
typedef uint32_t cop_vid, cop_nid; /* 1-based indices; 0 = none */

/* The role decides the memory: CONST is in flash, PARAM and STATE are in RAM that persists from run to run, INPUT and TEMP are in the
 * arena. */
typedef enum cop_role { COP_TEMP, COP_INPUT, COP_CONST, COP_PARAM, COP_STATE } cop_role;

typedef cop_status cop_write_fn(void *ud, const void *bytes, size_t size);

/* Builds a network of the zoo by its name ("lenet-5", "mlp-784x100x10", "mobilenet-v2-0.35@128"), with random weights from seed.
 * classes, channels, height or width 0: the default of the network. */
typedef struct cop_zoo_args { int32_t batch, classes, height, width, channels; uint64_t seed; } cop_zoo_args;
cop_status cop_zoo_build(cop_graph **out, cop_ctx *cx, const char *name, const cop_zoo_args *a);
const char *cop_zoo_name(int i, const char **summary); /* NULL past the end */

cop_status cop_model_read(cop_graph **out, cop_ctx *cx, const void *bytes, size_t size); /* .cop, .tflite or .onnx */
cop_status cop_model_load(cop_graph **out, cop_ctx *cx, const char *path_or_zoo_name);
/* Reads a model of another program (.onnx). batch: the size of a first dimension that the file leaves open (0: 1). given: arrays for its inputs,
 * by position; their shapes fill open dimensions, and their values are used if a shape depends on an input; dtype COP_NOTYPE: not given.
 * dim: sizes of open dimensions by their name in the file, 1 to 2^31 - 1. shape: whole shapes of inputs by name; dimensions that the file
 * fixes must agree. A dim or shape that the file does not use is an error, and so are both if the file leaves nothing open. args NULL: as
 * cop_model_load. */
typedef struct cop_import_dim { const char *name; int32_t size; } cop_import_dim;
typedef struct cop_import_shape { const char *input; int32_t rank, dim[COP_MAX_DIM]; } cop_import_shape;
typedef struct cop_import_args {
	int32_t batch, n_given;
	const cop_tensor *given;
	int32_t n_dim, n_shape;
	const cop_import_dim *dim;
	const cop_import_shape *shape;
	uint64_t seed; /* for the weights of a network that is written as text */
} cop_import_args;
cop_status cop_model_import(cop_graph **out, cop_ctx *cx, const char *path, const cop_import_args *args);
cop_status cop_onnx_save(const cop_graph *g, const char *path);        /* the deployed form, floats, for other programs */
cop_status cop_model_save(const cop_graph *g, const char *path);       /* .cop: written to a temporary file, then renamed */
cop_status cop_model_write(const cop_graph *g, cop_write_fn *write, void *ud); /* the bytes of such a file, in one call of write */
cop_status cop_weights_load(cop_graph *g, const char *path);           /* .safetensors into the values of the same names */
cop_status cop_weights_save(const cop_graph *g, const char *path);
cop_status cop_graph_parse(cop_graph **out, cop_ctx *cx, const char *text, size_t size);
/* Reads a network written as text, one line per layer (docs/networks.md). Shapes are inferred, weights drawn from the seed. file: a name for
 * messages. cop_model_load and similar calls recognise such a text by its first word, "input", or by the ending .txt or .net. */
cop_status cop_network_read(cop_graph **out, cop_ctx *cx, const char *file, const void *text, size_t size, uint64_t seed);
cop_status cop_graph_print(const cop_graph *g, cop_write_fn *write, void *ud);
cop_status cop_graph_verify(const cop_graph *g);
void cop_graph_free(cop_graph *g);

/* Passes in order, in the words of the CLI: "to_infer fuse batch:n=8". Replaces *g; after a failure *g is as it was. */
cop_status cop_graph_apply(cop_graph **g, const char *spec);
/* The same for a graph that is not needed as it was: weights that a pass changes are changed where they lie, which saves a second
 * copy of them. After a failure *g is NULL. Other graphs that share weights with it, and plans, keep theirs. */
cop_status cop_graph_apply_in_place(cop_graph **g, const char *spec);
cop_status cop_graph_copy(cop_graph **out, const cop_graph *g); /* the same graph; weights are shared until one of the two changes them */
/* A copy of g to be counted and planned, never run: it has the weights of g, and passes over it leave the weights that they would have to
 * compute as zeros. So what a deployed form takes is known without its weights. A session, C code, or a file of it is refused with COP_ARG. */
cop_status cop_graph_outline(cop_graph **out, const cop_graph *g);
const char *cop_pass_name(int i, const char **summary); /* NULL past the end */

/* Int8 layers that are trained as they are (Lin et al. 2022, arXiv 2206.15472): those whose weights or biases the layers= of spec names become
 * trainable, by the rule `qsgd`. Where channels= names a weight, of floats too, the part of its input channels whose weights are largest becomes a parameter, the
 * rest a constant. *layers: how many, of both; 0: none, and *g is as it was. COP_ARG: not of int8, scales not known, a part that is none. The answers stay. */
cop_status cop_graph_trainable(cop_graph **g, const char *spec, int32_t *layers);
cop_status cop_graph_settle(cop_graph **g); /* the way back: constants and whole weights, as in a network that was never trained */

/* The training graph of a model: forward, backward and updates.
 * spec: "loss=xent smooth=0.1 update=sgd momentum=0.9 nesterov=1 decay=5e-4 clip=1 layers=fc*"; NULL: the defaults. A rule may learn the numbers of
 * another: "adam by=(sgd momentum=0 lr=1e-5)". */
cop_status cop_graph_train(cop_graph **out, const cop_graph *model, const char *spec);

/* One line of `coppice inspect`: a node with its weights. Bytes are those in memory. */
typedef struct cop_layer {
	const char *op, *name;           /* name: of its first parameter, or of its first result */
	cop_type out;
	int64_t parameters, nonzero, macs;
	size_t weight_bytes, out_bytes;
} cop_layer;
int32_t cop_graph_layers(const cop_graph *g);
cop_status cop_graph_layer(const cop_graph *g, int32_t i, cop_layer *out);
/* The contents of a CONST, PARAM or STATE (data NULL: zeros), or the type of any value. Contents are to be read only, since other graphs may
 * share them, and until g is changed or freed: by cop_graph_edit, cop_session_pull, cop_weights_load, training, passes. */
cop_status cop_graph_tensor(const cop_graph *g, const char *name, cop_tensor *out);
/* The contents of a CONST, PARAM or STATE to be written, until the same. They are g's alone: copied first where others share them.
 * COP_ARG: another value, or encoded contents. What kernels take for indices (row lists, codes) must stay in range. */
cop_status cop_graph_edit(cop_graph *g, const char *name, cop_tensor *out);
/* Does a run write a STATE that the next one reads? Then samples form a sequence and must be run one at a time, in order. */
bool cop_graph_keeps_state(const cop_graph *g);
const char *cop_graph_weight(const cop_graph *g, int32_t i); /* names of the CONST, PARAM and STATE values that hold data; NULL past the end */
/* How many samples one run of the graph takes: the length of the batch axis of its first input; 1 if it has none. */
int32_t cop_graph_batch(const cop_graph *g);
/* Rewrites *g for n samples per run, if each input and output can then hold them whole, one after the other. Returns false and leaves *g unchanged
 * if samples would mix, if the batch is not the outermost axis of a result, or if a result is the same for all samples. */
bool cop_graph_batched(cop_graph **g, int32_t n);
/* The types of the first input and the first output, which a data set has to fit. */
cop_status cop_graph_io(const cop_graph *g, cop_type *in, cop_type *out);
const char *cop_graph_input_name(const cop_graph *g, int32_t i); /* NULL past the end */
bool cop_graph_io_type(const cop_graph *g, bool output, int32_t i, cop_type *out); /* of the i-th input or output; false past the end */

/* What a network carries besides its layers. Passes, compression, quantisation and .cop files keep all of it. */

/* The names of the classes, in the order of the numbers of the first output; NULL past the end, or if there are none. */
const char *cop_graph_class(const cop_graph *g, int32_t i);
/* Copies n names (1 to 255 bytes each, no two equal, at most as many as the first output has numbers); n 0 removes the names. */
cop_status cop_graph_classes_set(cop_graph *g, const char *const *name, int32_t n);
/* The same for the numbers that a regression network predicts: one name for each number of the first output. */
const char *cop_graph_target(const cop_graph *g, int32_t i);
cop_status cop_graph_targets_set(cop_graph *g, const char *const *name, int32_t n);

/* How a sample of a data set becomes the first input: x = (times * x - mean[c]) / std[c], then the axes in the order of layout. */
typedef enum cop_layout {
	COP_LAYOUT_FIT,   /* found from the shapes, if they allow only one way */
	COP_LAYOUT_KEEP,  /* the order of the numbers stays */
	COP_LAYOUT_FIRST, /* the last axis of a sample becomes the first: [h,w,c] for a network that takes [c,h,w] */
	COP_LAYOUT_LAST   /* the first axis becomes the last */
} cop_layout;
enum { COP_MOST_CHANNELS = 64 };
typedef struct cop_samples {
	float times;      /* 0: 1 */
	int32_t channels; /* numbers in mean and std: 0 (they are 0 and 1), 1 (for all channels), one for each channel, or of one channel one for each column (the coefficients of a sound) */
	float mean[COP_MOST_CHANNELS], std[COP_MOST_CHANNELS];
	cop_layout layout;
} cop_samples;
void cop_graph_samples(const cop_graph *g, cop_samples *out);
cop_status cop_graph_samples_set(cop_graph *g, const cop_samples *s); /* COP_ARG: times or a std that is not positive, more channels than there is room for */
/* The accuracy on the validation part when the network was trained, 0 to 1; -1: not known. */
float cop_graph_accuracy(const cop_graph *g);
void cop_graph_accuracy_set(cop_graph *g, float accuracy);

/* ---- plans and sessions --------------------------------------------------------------------- */

/* A machine to plan for. ram and flash are in bytes; 0 means unlimited. With fast_ram there are two memories: it gets the temporaries that are
 * accessed most for their size, as far as they fit, and ram gets the rest. */
typedef struct cop_target {
	const char *name;
	uint32_t isa;       /* instruction sets that may be used besides the portable kernels, as cop_target_find gives them; 0: none */
	size_t ram, flash;
	size_t fast_ram, fast_most; /* bytes of a second, fast RAM to use (cop_target_find sets 0), and how many the machine has */
	int32_t align;      /* of every buffer, a power of two */
	int32_t threads;
	bool late_updates;  /* keep the updates at the end, as frameworks do; for comparison */
	bool coded;         /* weights that the pass `code` marked lie coded in flash, and are decoded into RAM before their layer runs */
} cop_target;
cop_status cop_target_find(cop_target *out, cop_ctx *cx, const char *name); /* "host", "cortex-m4", ... */
const char *cop_target_name(int i, const char **summary);

typedef struct cop_plan cop_plan;
/* Entries are graphs that are run separately (inference, training ...) and share PARAM and STATE values by name. */
cop_status cop_plan_build(cop_plan **out, cop_graph *const *entry, int n_entry, const cop_target *t);
void cop_plan_free(cop_plan *p);
size_t cop_plan_bytes(const cop_plan *p, cop_role segment); /* TEMP: the arena, inputs and outputs included */
size_t cop_plan_fast(const cop_plan *p);                    /* bytes of temporaries in fast RAM; not included in TEMP */
double cop_plan_fast_part(const cop_plan *p);               /* 0 to 1: the part of the bytes of temporaries that a run reads and writes which is in fast RAM */
size_t cop_plan_live(const cop_plan *p);                    /* the largest live set: no arena can be smaller */
int32_t cop_plan_steps(const cop_plan *p, int entry);
/* How weights lie in the flash of a device: cop_graph_code. */
typedef enum cop_code { COP_CODE_NONE, COP_CODE_TABLES, COP_CODE_ADAPTIVE, COP_CODE_AUTO } cop_code;
/* step i: its op, kernel and live bytes (fast_bytes: those of them in fast RAM), for reports; outputs, inputs: numbers of its first result and
 * operand; channels: of the result; false past the end.
 * Of a layer whose weights are known and stay as they are: form, in which the plan uses them ("dense", "sparse", "shared": codes of at most 16 weights a row, an encoding, or of 4 or 2 bits "nibbles", "nibbles, roomy" or "twos"; else NULL); kept, the
 * part of them that is not zero; sparse_time, how long the kernel for sparse weights is expected to take, as a part of the time of the dense one (0:
 * there is none for such a layer). The plan uses that kernel where sparse_time is below 1. code_bytes: what the weight takes coded, decoded_bytes: as it is
 * decoded before the step, at once; 0: it is not coded. code: by which code. parts: weights are decoded, and the channels of the layer
 * computed, in so many parts; 0: they are not. rows, of a convolution: rows of windows that it reads for one channel of its result; with groups, rows of
 * up to four results, in all channels. */
typedef struct cop_step_info { const char *op, *kernel, *name; size_t live_bytes, fast_bytes; int64_t macs, outputs, inputs, channels, rows; const char *form; double kept, sparse_time; size_t code_bytes, decoded_bytes; int32_t parts; cop_code code; } cop_step_info;
bool cop_plan_step(const cop_plan *p, int entry, int32_t i, cop_step_info *out);

/* Computes the first layers of a model in bands of rows, if that lowers the arena of a plan for t (MCUNetV2, arXiv 2110.15352, section 3).
 * Replaces *g by the cheapest such graph, with the same bits, if it needs at most the part most_extra more multiply-accumulates (0.3: 30 %
 * more). bands 0: there was no gain, and *g is unchanged. Int8 layers that are trainable (cop_graph_trainable), and what is behind them, are not among them. */
typedef struct cop_patch { int32_t bands; size_t bytes_before, bytes; int64_t macs_before, macs; char at[96]; /* the last layer in bands, as the pass `patch` takes it; "": it has no name */ } cop_patch;
cop_status cop_graph_patch(cop_graph **g, const cop_target *t, float most_extra, cop_patch *out);

/* Lets weights of int8 layers lie coded in flash, decoded before their layer runs. Replaces *g by a network with the same bits: marked (the pass `code`), and with layers in parts where their weights
 * take too much RAM at once.
 *   TABLES    tANS (Duda 2013, arXiv 1311.2540): about ten instructions a weight. Layers with a kernel for sparse weights are coded for dense ones instead, or left as they are
 *   ADAPTIVE  runs of zeros, signs and sizes under a context-adaptive binary range coder (after DeepCABAC: Wiedemann et al. 2019, arXiv 1905.08318): shorter where most weights are zero, about 300
 *             instructions for each that is not. Layers with a kernel for sparse weights keep one, whose weights are decoded row by row where RAM is short
 *   AUTO      either of them, for all layers
 * RAM stays within t->ram, less a stack of 1024 bytes, or, where the target has no limit, within one and a half times what the network takes anyway, or 16 KB in all if that is more; a layer that
 * can't keep to that is not coded. instructions: as many as a run may take, as foretold (0: any number); layers that decode for too long are then not coded, and the least flash is taken. Without it
 * that with the least product of flash and instructions is, since small parts save RAM but read the layer's input again; what fits t->flash goes first. layers 0: nothing would be smaller, and *g is
 * unchanged. COP_ARG: no int8 layer, no such code, or a limit on instructions for a target without prices. */
typedef struct cop_code_args { cop_code by; int64_t instructions; } cop_code_args;
/* foretold instructions, those for decoding within; 1: there are no prices */
typedef struct cop_coded { int32_t layers; cop_code by; size_t flash_before, flash, ram_before, ram; int64_t instructions_before, instructions, decoding; } cop_coded;
cop_status cop_graph_code(cop_graph **g, const cop_target *t, const cop_code_args *a, cop_coded *out);

typedef struct cop_session cop_session;
cop_status cop_session_new(cop_session **out, const cop_plan *p, int threads); /* the only allocation; runs allocate nothing */
void cop_session_free(cop_session *s);
/* A view of a named value, valid until the session is freed. Inputs and outputs are those of the entry. */
cop_status cop_session_tensor(cop_session *s, int entry, const char *name, cop_tensor *out);
cop_status cop_session_io(cop_session *s, int entry, int32_t i, bool output, cop_tensor *out); /* i-th input or output */
cop_status cop_session_run(cop_session *s, int entry);
void cop_session_reset(cop_session *s); /* gives PARAM and STATE their first contents again: the next run begins a new sequence */
cop_status cop_session_pull(const cop_session *s, cop_graph *g); /* copies PARAM and STATE back into a graph, by name */

/* ---- data ------------------------------------------------------------------------------------ */

/* x of sample i as f32 [h,w,c] (or [n]) and its label, or with `target` the numbers that a regression predicts from it. get and target
 * fill buffers the caller owns. cop_train, cop_eval, cop_quantize and cop_compress fit the samples to the network (cop_data_fit). Fields
 * that a set does not need stay 0. */
typedef struct cop_dataset cop_dataset;
struct cop_dataset {
	const char *name;
	cop_type x;               /* of one sample, f32, without the batch axis */
	int32_t count, classes;   /* classes 0 and targets 0: no labels (the target is x itself) */
	cop_status (*get)(void *ud, int32_t i, float *x, int32_t *label);
	void (*free)(void *ud);
	void *ud;
	const char *const *class_name;  /* [classes]; NULL: they have none */
	int32_t targets;                /* numbers that belong to a sample, for regression; classes is then 0 */
	const char *const *target_name; /* [targets], or NULL */
	cop_status (*target)(void *ud, int32_t i, float *y /* [targets] */);
	const char *note;               /* what the reader decided, one sentence per line; NULL: nothing to report */
};
/* name: a row of data.def or a path; split "train", "valid", "test", "train+valid" or, of a single file, "all".
 * limit 0: all. COPPICE_DATA is a colon-separated list of folders to look in. */
cop_status cop_data_open(cop_dataset **out, cop_ctx *cx, const char *name, const char *split, int32_t limit);
/* What the target columns of a table mean. AUTO: classes, unless a column holds reals, or whole numbers of which more than 20 differ with fewer
 * than 10 rows each. NONE: there are no targets; all columns belong to the sample. REBUILD: labels and targets are read as with AUTO and then
 * hidden: a network learns to give its samples back (cop_eval_anomaly). */
typedef enum cop_task { COP_TASK_AUTO, COP_TASK_CLASS, COP_TASK_REGRESS, COP_TASK_NONE, COP_TASK_REBUILD } cop_task;
typedef struct cop_data_args {
	const char *split;      /* NULL: "test", or all of a single file */
	int32_t limit;
	cop_task task;
	const char *target;     /* columns of a table by name or number (from 1), separated by commas; NULL: label, class, target, y, or the last */
	int32_t height, width, channels; /* size to which the pictures of a folder are resized; 0: that of the first picture */
	int32_t features;       /* numbers of a sample, if a table may or may not have its target; 0: not known */
	float valid;            /* above 0, below 1: the part of the training samples that is "valid" and not in "train"; 0: 1/12 */
	const char *group;      /* classes put together: "pet=cat,dog;other=*"; '*': all that are in no group. Others stay. NULL: as they are */
	const char *only;       /* classes whose samples are read, once they are grouped: "pet,bird"; NULL: all. limit counts what is left */
} cop_data_args;
cop_status cop_data_open_as(cop_dataset **out, cop_ctx *cx, const char *name, const cop_data_args *a);
/* The data set d as the first input of g takes it: scaled and laid out as g says (cop_graph_samples), with classes numbered by g's names. Shapes fit
 * by themselves only if they are equal but for axes of length 1, or if they differ in whether the channels come first or last. COP_SHAPE: they do
 * not fit; the message names both. COP_ARG: g does not know a class; the message names it. A network without names takes classes by number.
 * note [COP_NOTE], unless NULL, receives what was done, or "". *out refers to d, which must outlive it; free it with cop_data_free. */
enum { COP_NOTE = 400 };
cop_status cop_data_fit(cop_dataset **out, char *note, const cop_graph *g, cop_dataset *d);
void cop_data_free(cop_dataset *d);
typedef struct cop_data_info { const char *name, *summary, *licence; bool present; char where[512]; } cop_data_info;
bool cop_data_list(cop_ctx *cx, int i, cop_data_info *out);         /* false past the end */
cop_status cop_data_check(cop_ctx *cx, const char *name);           /* are all files there, with the right lengths and checksums? */
typedef void cop_progress_fn(void *ud, int64_t done, int64_t total);
cop_status cop_data_get(cop_ctx *cx, const char *name, const char *folder, const char *mirror, cop_progress_fn *fn, void *ud);

/* ---- training -------------------------------------------------------------------------------- */

typedef struct cop_epoch { /* progress after an epoch, or within one (done < 1) */
	int32_t epoch, epochs;
	float done;                 /* part of the epoch */
	float loss, accuracy;       /* means over the epoch; accuracy of the valid set at its end, -1 before */
	float lr;
	double images_per_second, seconds, seconds_left; /* seconds: since the run began, those of a run that was resumed included */
	const char *stage;          /* "train", or the stage of a recipe */
	float mse;                  /* without classes: mean square error on the valid set at the end of the epoch; -1 before, and with classes */
	int32_t best;               /* epoch with the best score on the valid set so far, from 1; 0: none yet */
	int64_t samples;            /* trained on since the run began: each sample once an epoch, but for those that policies leave out */
	/* What a step of this epoch costs, as parts of one that trains all weights: floating-point operations that are executed, in all and of the backward
	 * pass with the updates; and those of the backward pass as work on neurons that are left out counts them, which takes both products of a layer as
	 * saved. step_time: CPU time as such a part, where an epoch of the same run has trained all; else -1. */
	float flops, backward, published, step_time;
	double step_seconds;        /* CPU time of a step, the mean of this epoch */
} cop_epoch;

typedef enum cop_keep { /* the epoch whose weights a training ends with */
	COP_KEEP_LAST,
	COP_KEEP_BEST, /* highest accuracy on the valid set, or without classes lowest mean square error; the first of equals */
} cop_keep;

typedef struct cop_train_args {
	int32_t epochs, batch, threads;
	float lr;
	const char *update;     /* "sgd momentum=0.9 decay=5e-4" as in cop_graph_train; NULL: sgd momentum 0.9 */
	const char *schedule;   /* "constant", "step:every=10,by=0.1", "cosine", with "warmup=2" epochs; NULL: cosine */
	const char *augment;    /* "none", "flip,shift=2,crop=4,normalise"; NULL: none */
	const char *policies;   /* what acts on the way: "ema:decay=0.998", "lookahead; early:patience=5"; NULL: nothing */
	float smooth;           /* label smoothing, 0..1 */
	uint64_t seed;
	const char *checkpoint; /* path, or NULL: none; written after each epoch and when stopped, and left there at the end */
	bool resume;            /* go on from the checkpoint, if it is there */
	void (*progress)(void *ud, const cop_epoch *e); /* a resumed run tells again of the epochs that were done before */
	void *ud;
	float checkpoint_every; /* seconds after which the checkpoint is written within an epoch, too; 0: 600 */
	cop_keep keep;          /* BEST needs a valid set, and memory for one more copy of the weights; not with policies that make the result themselves (ema) */
	bool bf16;              /* dense convolutions multiply bfloat16 and sum in f32; all else, the weights too, stays f32. COP_ARG: the processor has no tiles for it (AMX) */
} cop_train_args;

/* The settings that suit a network of the zoo, found by its name, and samples such as those of data (NULL: not known): fills epochs, batch, lr,
 * update, schedule, augment, policies and smooth where they are 0 or NULL. The texts are static. Any other name gets modest settings that suit most
 * networks. docs/training.md lists them. */
void cop_train_defaults(cop_train_args *a, const char *name, const cop_dataset *data);

/* Trains the weights of g in place. valid may be NULL. After COP_DIVERGED and COP_STOPPED g holds the last good weights.
 * A run that was stopped or killed at any moment and is resumed ends with the same bits as one that was not. The checkpoint records its
 * settings: network, data, seed, rates and so on. COP_ARG: a setting differs; the message names it. COP_FORMAT: there is another kind of file
 * in the checkpoint's place; it is left alone. Threads and paths may differ. COP_ARG as well: COP_KEEP_BEST
 * without a valid set. */
cop_status cop_train(cop_graph *g, cop_dataset *train, cop_dataset *valid, const cop_train_args *a);
/* Removes the checkpoint that cop_train or cop_compress left at a->checkpoint; it never removes other files. Call it when the result is safe. */
cop_status cop_checkpoint_remove(cop_ctx *cx, const char *path);

/* One step at a time, for who has the samples elsewhere or puts something between gradients and updates: the ranks of a cluster, the clients
 * of a federation. The model is copied; what it learns comes back with cop_trainer_pull. */
typedef struct cop_trainer cop_trainer;
typedef struct cop_trainer_args {
	int32_t batch;    /* samples of one step, at least 1 */
	int threads;
	const char *spec; /* loss, rule of updates and their options as in cop_graph_train; NULL: the defaults. Its lr is not used. */
	bool apart;       /* cop_trainer_gradients and _update work as well; takes memory for a copy of every gradient and of the inputs */
	bool bf16;        /* as in cop_train_args */
} cop_trainer_args;
/* COP_ARG: an option that is not there, no weight to train. COP_SHAPE: a network that can't take that many samples at once. */
cop_status cop_trainer_new(cop_trainer **out, const cop_graph *model, const cop_trainer_args *a);
/* Where a step reads its samples: the inputs of the model with `batch` samples, then what its answers are compared with: "label" i32[batch],
 * a class each, below 0 for none, or "target", of the shape of the first output. A view of the trainer's memory, to be filled before a step. */
cop_status cop_trainer_input(cop_trainer *t, int32_t i, cop_tensor *out);
/* The i-th output of the last step, before its updates. */
cop_status cop_trainer_output(cop_trainer *t, int32_t i, cop_tensor *out);
/* Forward, backward and updates. loss: of this batch, before the updates; NULL: not wanted. It may not be finite: then so are the weights. */
cop_status cop_trainer_step(cop_trainer *t, float lr, float *loss);
/* The two halves of a step, with `apart`: together they give the bits of cop_trainer_step. Between them the gradients may be read and written
 * (an average over ranks, say); the bound on their norm (clip) is applied after that. */
cop_status cop_trainer_gradients(cop_trainer *t, float *loss);
cop_status cop_trainer_update(cop_trainer *t, float lr);
/* The name of the i-th parameter that is trained, and its gradient: f32, of the parameter's shape, the derivative of the mean loss of the batch.
 * NULL past the last, and without `apart`. */
const char *cop_trainer_gradient(cop_trainer *t, int32_t i, cop_tensor *out);
/* The weights, and the running means of batch norm, into a model of the same network. */
cop_status cop_trainer_pull(cop_trainer *t, cop_graph *model);
void cop_trainer_free(cop_trainer *t);

/* accuracy: -1 if there are no classes. loss: the mean cross-entropy; without classes the mean square.
 * Regression, over n samples with targets t and predictions y, each figure the mean of those of the targets:
 * mse = sum (y-t)^2 / n, mae = sum |y-t| / n, r2 = 1 - sum (y-t)^2 / sum (t - mean t)^2 (a target that is always the same: 1 if it is met
 * exactly, else 0); in the units of the data. 0 if it is not a regression. If all targets are 0 or 1 (labels of which several may hold, cells of a
 * detector), f1 is the harmonic mean of precision and recall of the predictions above a half, over all targets together; else -1. */
typedef struct cop_score { float accuracy, loss; int32_t count; double images_per_second; float mse, mae, r2, f1; } cop_score;
cop_status cop_eval(cop_score *out, const cop_graph *g, cop_dataset *data, int32_t batch, int threads);
/* The same, and calls fn for every sample with y [n] (probabilities, if there are classes) and label, its class as the network numbers it (-1: none). */
typedef cop_status cop_answer_fn(void *ud, int32_t i, const float *y, int32_t n, int32_t label);
cop_status cop_eval_each(cop_score *out, const cop_graph *g, cop_dataset *data, int32_t batch, int threads, cop_answer_fn *fn, void *ud);
/* How well a network that gives its samples back (COP_TASK_REBUILD) tells normal samples from others by its error, the mean square of what it
 * missed: it learnt normal ones alone, and gives others back worse. normal: classes of data, "hum,idle". auc: the chance that an other sample's error is
 * larger than a normal one's, equal ones count half (the area under the ROC curve: Hanley and McNeil 1982, Radiology 143); 0.5 is guessing.
 * threshold: the least error that 95 % of the normal samples do not exceed; found: the part of the others beyond it.
 * COP_ARG: the input and the output differ in size; a class that data does not have; no normal samples, or no others. */
typedef struct cop_anomaly { float auc, found, threshold, normal_error, other_error; int32_t normal, others; } cop_anomaly;
cop_status cop_eval_anomaly(cop_anomaly *out, const cop_graph *g, cop_dataset *data, const char *normal, int32_t batch, int threads);
/* Only the answers; the data set needs no labels. */
cop_status cop_predict(const cop_graph *g, cop_dataset *data, int32_t batch, int threads, cop_answer_fn *fn, void *ud);

/* ---- what a network looked at ------------------------------------------------------------------- */

/* Maps of one sample that is a picture, [h,w] or [h,w,channels] (or [channels,h,w]; a sound is one, too): a number for each pixel, how much it
 * mattered for the score of one class. The score is what goes into the softmax at the end, or the output itself where there is none.
 * SALIENCY: |d score / d pixel|, of the channels the largest; pixels in the units of the data set (Simonyan et al. 2013, arXiv 1312.6034).
 * GRAD_CAM: what the last convolution over positions puts out, behind its activation, each channel times the mean of its gradient, the sum where it is above 0,
 * resized to the picture (Selvaraju et al. 2017, arXiv 1610.02391). OCCLUSION: how much the score falls when a patch of the picture's mean colour
 * covers the pixel, the mean over the patches that do; below 0: it rises (Zeiler and Fergus 2014, arXiv 1311.2901).
 * A network of integers is taken in floats that round (the pass `floats`), with gradients straight through the rounding; its score is taken before it is
 * rounded. Where it has no such form, there is only OCCLUSION, of the number that it gives out. */
typedef enum cop_map_kind { COP_SALIENCY, COP_GRAD_CAM, COP_OCCLUSION, COP_MAPS } cop_map_kind;
typedef struct cop_explain_args {
	int32_t sample;        /* of the data set, from 0 */
	int32_t output;        /* whose score: the number of the class, from 0; -1: that with the highest */
	int32_t patch, stride; /* pixels: side of the patch, and how far it moves; 0: an eighth of the picture's side, and half of the patch */
	int32_t random;        /* so many of the last weights are replaced by random numbers of the same mean and deviation (Adebayo et al. 2018,
	                          arXiv 1810.03292: a map that stays the same then says nothing about what was learnt) */
	uint64_t seed;         /* of those */
	bool leave[COP_MAPS];  /* maps that are not wanted */
	int threads;
} cop_explain_args;
typedef struct cop_explanation {
	cop_ctx *cx;
	int32_t h, w, channels;
	float *picture;        /* [h, w, channels], the sample as the data set has it */
	float *map[COP_MAPS];  /* [h, w] each; NULL: there is none ... */
	char why[COP_MAPS][300]; /* ... because of this; "" where it was left out */
	int32_t output;        /* whose score it is ... */
	float score;           /* ... for the whole picture */
	int32_t weights;       /* how many `random` may replace */
	char layer[64];        /* the first of those that were; "": none */
} cop_explanation;
/* The same for any number of threads. args NULL: sample 0, the highest score. COP_SHAPE: the sample is no picture, or the network has more than one input.
 * COP_ARG: a sample, an output or so many weights do not exist. Free it with cop_explanation_free, which may be called after a failure, too. */
cop_status cop_explain(cop_explanation *out, const cop_graph *g, cop_dataset *data, const cop_explain_args *args);
void cop_explanation_free(cop_explanation *e);
/* How alike two maps of so many pixels are. rank: Spearman's correlation of the ranks, -1 to 1. top: 0 to 1, the part of the tenth of the pixels with the
 * highest values (of those above 0) that both have. NAN where a map says nothing: it is the same everywhere, has nothing above 0, or numbers that are not finite. */
typedef struct cop_likeness { float rank, top; } cop_likeness;
cop_status cop_map_alike(cop_likeness *out, cop_ctx *cx, const float *a, const float *b, int32_t pixels);

/* ---- compression ------------------------------------------------------------------------------ */

typedef struct cop_figures {
	int64_t parameters, nonzero, macs;
	size_t file_bytes, flash_bytes, ram_bytes;
	double energy_nj;    /* one inference, an estimate: Horowitz 2014, 45 nm */
	int64_t instructions; /* one inference on the target, from a table of prices that were counted in an emulator; 0: there is none for it */
	float guessed;        /* the part of the work for whose kernels the table has no row */
	int64_t shifts;       /* of macs: done by a shift and an addition on a board, in layers that the pass `shift` has marked */
} cop_figures;

/* What a recipe did. */
enum { COP_MAX_STAGES = 16 };
typedef struct cop_stage_result {
	char stage[16];       /* its name */
	float accuracy[2];    /* before and after it, on the validation set, a fraction; -1 where there are no labels */
	float loss[2];
	size_t bytes[2];      /* of the file as it would be written, each weight in its smallest encoding */
	bool kept;            /* else it was undone ... */
	char why[160];        /* ... because of this */
	bool lacks_training;        /* of cop_compress_to: undone, and it lost more on training samples than on others */
	double seconds;
	/* Of cop_compress_to alone, on its target; recipes leave them 0. */
	size_t flash[2], ram[2];
	int64_t macs[2], instructions[2];
	char what[160];       /* which layers, and what stayed of each: "conv1.w 0.75, conv2.w 0.5" */
} cop_stage_result;
typedef struct cop_compress_side {
	float accuracy;       /* of the test set, a fraction; -1 where there is none or it has no labels */
	cop_figures figures;  /* on the host; of cop_compress_to on its target */
	double microseconds;  /* one sample on one thread of this machine */
} cop_compress_side;
/* An order of the stages of a recipe with `order: search`. */
enum { COP_MOST_ORDERS = 24 };
typedef struct cop_order_result {
	char order[200];      /* "prune, share, encode" */
	float accuracy, loss; /* of what it made of the network, on the validation set; accuracy -1: there are no labels */
	float test;           /* accuracy of the test set, which has no say in the choice; -1: not known */
	double lost;          /* points of accuracy; without labels, percent of the loss */
	size_t bytes;         /* of the file */
	int32_t kept;         /* stages */
	bool fits, best;      /* within the recipe's max_drop; the one that was chosen */
	double seconds;
} cop_order_result;
typedef struct cop_compress_result {
	char recipe[64];
	cop_compress_side before, after;
	cop_stage_result stage[COP_MAX_STAGES];
	int32_t n_stage;
	int32_t weights;      /* that could be encoded ... */
	int32_t encoded;      /* ... and how often the encodings of one of them were tried, in this process */
	cop_order_result order[COP_MOST_ORDERS]; /* of a recipe with order: search, in which stage[] are those of the best */
	int32_t n_order;
	cop_code code;        /* of cop_compress_to: by which its weights lie in flash; ADAPTIVE where tables do not meet the limit on flash and it does */
	char lacks[200];      /* of cop_compress_to: what could not be reached, "" if nothing */
} cop_compress_result;

/* Runs a recipe (YAML text): stages, each with what it may cost and what it must gain; a stage that
 * does not pay is undone. Replaces *g. result may be NULL. history, if given, receives one JSON object (see docs/recipes.md). a->checkpoint is written
 * between stages, with a.stageN beside within one; it holds the result at the end, until cop_checkpoint_remove. */
cop_status cop_compress(cop_graph **g, const char *recipe, size_t size, cop_dataset *train, cop_dataset *valid, cop_dataset *test,
	const cop_train_args *a, cop_compress_result *result, cop_write_fn *history, void *ud);

/* Compresses without a recipe, towards aims: finds out on the validation set what each layer can do without and what that saves on the target, takes what a knapsack
 * chooses, trains on (a->epochs a round), checks the whole in the form in which it is deployed, and goes on from there, or undoes it and tries less. With limits on
 * resources it stops when they are reached; with max_drop alone it makes the network as small and quick as that allows. On a board, where flash counts, weights have 4 bits
 * in the end, or a code where that loses too much or misses a limit. */
typedef struct cop_aims {
	const char *target;   /* NULL: "host" */
	bool bounded;         /* max_drop counts */
	float max_drop;       /* points of accuracy on the validation set; without labels, percent of the loss */
	size_t file, ram, flash; /* bytes; 0 each: no limit */
	int64_t macs, instructions;
	float milliseconds;
	const char *by;       /* the score that says which channels go first; NULL: "taylor", without classes and for single weights "magnitude" */
} cop_aims;
/* Replaces *g by the best that was found; result->lacks says which aims it misses. The other arguments are those of cop_compress. COP_ARG: nothing is asked for, a
 * resource that the target has no prices for, a limit above what the target has, a network that is encoded or of integers. */
cop_status cop_compress_to(cop_graph **g, const cop_aims *aims, cop_dataset *train, cop_dataset *valid, cop_dataset *test,
	const cop_train_args *a, cop_compress_result *result, cop_write_fn *history, void *ud);

/* Post-training quantisation: a float model becomes one of integers (docs/quantization.md). NULL and 0 are the defaults. */
typedef struct cop_quantized_layer {
	const char *name, *op;
	int weight_bits, act_bits; /* 32: float */
	int64_t weights;
	float sqnr;                /* signal to noise at the output in dB when this layer alone is quantised */
} cop_quantized_layer;
typedef struct cop_quantize_args {
	const char *scheme;  /* "w8a8" (default), "w4a8", "w3a8", "w2a8", "w4a4", "w2a4", "w8a16"; weights alone: "w8", "fp16" */
	const char *range;   /* of activations: "mse" (default), "minmax", "percentile", "kl" */
	const char *keep;    /* layers that stay float: names of weights, as "conv1.w|fc*" */
	const char *round;   /* of weights: "nearest", "gptq" (what follows makes good for the error), "adaround" (learned layer by layer), "block" (learned for a residual block together), "qdrop" (the same while half of its values stay unrounded by chance); NULL: gptq below 8 bits and with w8a16, else nearest */
	bool per_tensor, symmetric, equalize, bias_correct, int8_io;
	bool wide_ends;      /* layers beside the input and before the output keep weights of 8 bits, and what the last ones read has 8 */
	bool narrow_sums;    /* with activations below 8 bits: sums of shortcuts have as few as the others; else they and what they add keep 8 */
	bool bounded;        /* give the most sensitive layers more bits, or leave them in float, so that max_drop is kept */
	float max_drop;      /* points of accuracy on `valid`; per cent of the loss if there are no labels */
	/* Limits on the result; 0: none. With any, the weights of each layer get bits of their own, 8, 4 or 3, so that the whole fits and its answers move least; activations
	 * have 8. scheme stays NULL or "w8a8" then, and bounded false. The sum over layers of what each does alone is least (a knapsack); the whole is measured. */
	size_t file, flash;  /* bytes of the .cop file, and of weights in flash */
	int64_t instructions; /* of one inference; not every machine has prices for them */
	const char *machine; /* of the limits: a name of cop_target_find; NULL: "host" */
	bool floats;         /* within limits, layers may stay float, too */
	const char *harm;    /* what bits do to a layer: "answers" (default; how far the network's answers move with that layer alone in integers), "curvature" (errors of
	                      * weights by the diagonal of the loss's Hessian) */
	const char *choose;  /* "knapsack" (default); for comparison "greedy" (most harm first) and "random" */
	int32_t limit;       /* samples of calibration; 0: all of the set */
	int threads;
	uint64_t seed;
	cop_dataset *valid;  /* NULL: the calibration set */
	cop_dataset *const *more; /* samples of the second and further inputs, one set each; sample i of all sets belongs together */
	int n_more;
	void (*layer)(void *ud, const cop_quantized_layer *l); /* called for each layer, unless NULL */
	void *ud;
} cop_quantize_args;
/* calib: samples of the first input, as reals even if the input is an integer. It may be NULL if only weights are quantised. Replaces *g, or fails and
 * leaves it unchanged. COP_BUDGET: max_drop or a limit cannot be kept. */
cop_status cop_quantize(cop_graph **g, cop_dataset *calib, const cop_quantize_args *a);

/* ---- search for a network ---------------------------------------------------------------------- */

/* Which network of a space of networks (table "spaces") is the best that fits a machine. Each is priced by Coppice's own plan of its int8 form on the target: none
 * that misses a limit is ever judged. The space itself is chosen first, without training: networks are drawn from each, and the one whose networks that fit
 * have the most multiply-accumulates is taken (TinyNAS: Lin et al. 2020, arXiv 2007.10319). Then designs are tried, one after the other. A brief training says little, so
 * the best few are trained in full, quantised and planned once more; of these finalists the one with the best int8 form is given back. 0 and NULL are the defaults. */
typedef struct cop_tried { /* a design that was judged */
	int32_t number;       /* from 1 */
	float score;          /* by which designs are compared; the higher the better */
	float accuracy;       /* of the validation set, 0 to 1; -1: the judge did not measure it */
	cop_figures figures;  /* of its int8 form on the target; file_bytes 0: there is no file */
	bool best;            /* the best so far */
} cop_tried;
typedef struct cop_finalist { /* a design that was trained in full */
	int32_t number;       /* of cop_tried */
	float accuracy[2];    /* of the validation set: in floats, and in int8; -1: there is none, or the training diverged */
	bool best;            /* the best so far */
} cop_finalist;
typedef struct cop_search_args {
	const char *target;   /* NULL: "host" */
	size_t ram, flash;    /* bytes of temporaries without the stack, and of weights; 0 each: what the target has, without limit if that is 0 */
	int64_t macs, instructions; /* of one inference; 0: no limit */
	const char *space;    /* rows of "spaces" to choose from, "inverted,residual"; NULL: all */
	const char *by;       /* a row of "ways": "evolution" (default; a population of which the best quarter has children), or "random", its control */
	const char *judge;    /* a row of "judges": "train" (default), "shared", "macs", "grad-norm", "snip" */
	int32_t draws;        /* networks drawn from each space to choose it; 0: 50 */
	int32_t tries;        /* designs that are judged; 0: 40 */
	int32_t population;   /* of the evolution; 0: a quarter of tries */
	int32_t epochs;       /* of training: of each design with "train" (0: 1), of the shared network with "shared" (0: 20) */
	int32_t limit;        /* samples of the validation set that designs are judged on; 0: all */
	int32_t finalists;    /* designs that are trained in full, at most COP_MOST_FINALISTS; 0: 3, without a validation set 1, which is all that may be then */
	bool keep_shared;     /* with "shared": the network that is found begins with the shared weights, in place of random ones */
	void (*tried)(void *ud, const cop_tried *t); /* after each design; a search that goes on tells again of those before */
	void (*finished)(void *ud, const cop_finalist *f); /* the same for those that are trained in full */
	void *ud;
} cop_search_args;
enum { COP_MOST_SPACES = 64, COP_MOST_FINALISTS = 16 };
typedef struct cop_search_space { /* one that was drawn from */
	const char *name;     /* its row; static */
	int32_t scale, shrink; /* percent of all widths; by what the stride of the first layer is multiplied */
	int32_t drawn, fit;   /* networks; once the smallest one does not fit, no others are drawn */
	double macs;          /* the mean of those that fit */
	bool chosen;
} cop_search_space;
typedef struct cop_search_result {
	cop_search_space space[COP_MOST_SPACES];
	cop_finalist finalist[COP_MOST_FINALISTS];
	int32_t n_space, n_tried, n_finalist, best; /* best: its number, from 1; 0: nothing fits */
	float score, judged;  /* of the best when it was judged: its score, and its accuracy, -1: not measured */
	float accuracy[2];    /* of the validation set, trained: in floats, and in int8; -1: there is none */
	cop_figures figures;  /* of the result on the target */
	const char *like;     /* the network of the zoo whose settings train the result (cop_train_defaults) where a names none; static */
	char lacks[200];      /* which limits the result, or the nearest network if none fits, misses, and by how much; "": none */
	char network[4096];   /* the design as text (docs/networks.md), of the nearest one if none fits */
} cop_search_result;
/* *out: a network of integers, to be freed. a: how the best is trained (epochs 0, update NULL and so on: as suits its space); designs and the shared network are trained alike, for other
 * epochs. a->checkpoint and a->resume as in cop_compress, with the same promise: killed at any moment and resumed, the same bits. valid: NULL only for judges that need no
 * accuracy. COP_BUDGET: no network of any space fits, and *out is NULL; result says what the nearest lacks. COP_ARG: data without classes, no such row, a limit above what the target
 * has or that it has no prices for. COP_SHAPE: samples that are neither pictures nor sequences. */
cop_status cop_search(cop_graph **out, cop_ctx *cx, const cop_search_args *s, cop_dataset *train, cop_dataset *valid, const cop_train_args *a, cop_search_result *result);

/* ---- training on a device: which layers ------------------------------------------------------------ */

/* Which layers of a network are trained further on a device, within its RAM: the last one, and of the others nothing, the bias, or weights and bias (static sparse update: Lin et al. 2022,
 * arXiv 2206.15472, section 3.2). RAM is that of a planned step, as emission has it, stack included; a network of integers is planned with bytes for inputs. */
typedef struct cop_adapt_args {
	const char *target;    /* the machine of the plan; NULL: "cortex-m4" */
	size_t ram;            /* bytes; 0: as much as there is in the target, or any */
	float patch;           /* the first layers in bands, if that saves RAM, for at most so much more work (cop_graph_patch); 0: not */
	const char *layers;    /* to train these, "conv4*.b|head*"; NULL: they are chosen */
	const char *choose;    /* "knapsack" (default); for comparison "evolution" and "random" */
	const char *rule;      /* NULL: "qsgd" for a network of integers, else "sgd momentum=0" */
	float lr;              /* 0: of 0.3 to 0.0001 the lowest that gains nearly as much as the best in a trial of 1000 samples */
	int32_t trial, score;  /* samples that a trial of a layer trains on, and that any is scored on; 0: 100 to 1000, which layers share, and 200 */
	int threads;
	uint64_t seed;
	cop_progress_fn *progress; /* of trials; NULL: not told */
	void *ud;
} cop_adapt_args;
typedef struct cop_adapt_layer {
	char weight[64];
	bool bias, weights;         /* are they trained? */
	float bias_gain, gain;      /* by how much the loss falls in a trial with the bias, with weights and bias; NAN: not tried */
	int64_t bias_bytes, bytes;  /* RAM that this layer alone adds to a step that trains the last layer */
} cop_adapt_layer;
enum { COP_MOST_ADAPT = 512 };
typedef struct cop_adapted {
	char spec[4096];            /* for cop_graph_trainable and cop_train: "qsgd layers=..." */
	size_t ram, arena, parameters, state; /* bytes of a step; ram: all of it, with a stack of 1024 */
	size_t least;               /* with the last layer alone */
	double step_seconds;        /* of a step on this machine, on one thread; measured */
	size_t save_bytes;          /* that keeping what was learnt writes, at most */
	float lr;                   /* the rate that was given or found */
	bool ran_away;              /* layers that gain one by one did not train together, nor added one after the other, so the last layer alone is trained */
	int32_t n;
	cop_adapt_layer layer[COP_MOST_ADAPT]; /* without the last */
} cop_adapted;
/* g: as it is trained, of floats without batch norm, or of integers; its last layer fits data (the pass head). Trials train on samples of data and are scored on others of them, every third.
 * COP_BUDGET: not even the last layer can be trained in that RAM, or not the layers that were named. COP_ARG: nothing can be trained. */
cop_status cop_adapt_choose(cop_adapted *out, const cop_graph *g, cop_dataset *data, const cop_adapt_args *a);

/* What training changed, as a small file: signed differences from the network it began with, coded, with checksums. A file as a device keeps it in a slot of its flash
 * (cop_keep.h of emitted code) can be applied, too.
 * save: g, trained, and was, the same before: both as they are trained, not settled. passes: what the network went through before that, as in cop_graph_apply; NULL: nothing.
 * apply: *g is the network before those passes, and becomes the trained one, settled. COP_FORMAT: no such file. COP_ARG: it is of another network, or damaged. */
cop_status cop_diff_save(const cop_graph *g, const cop_graph *was, const char *passes, const char *path);
cop_status cop_diff_apply(cop_graph **g, const void *bytes, size_t size);

/* How often values lie at the ends of their ranges in a network of integers, layer by layer. Where a ReLU cuts, its end does not count. A layer whose share is far above that on the data
 * that its ranges were found on does not fit the new data. */
typedef struct cop_ends { char name[64]; double share; } cop_ends;
/* out[most]: the layers in their order; *n: how many there are. limit: samples; 0: all. */
cop_status cop_range_ends(cop_ends *out, int32_t most, int32_t *n, const cop_graph *g, cop_dataset *d, int32_t limit, int threads);

/* ---- figures, emission, reports ---------------------------------------------------------------- */

cop_status cop_measure(cop_figures *out, const cop_graph *g, const cop_target *t);

/* Files of C code are handed to fn, each with a path relative to the output folder: the network and its kernels, README.md and CMakeLists.txt at the
 * top, and below "check/" a program that runs the network on files. Call cop_graph_apply(&g, "to_infer fuse shrink") first to remove what has no
 * effect on any bit of a result. */
typedef cop_status cop_file_fn(void *ud, const char *path, const void *bytes, size_t size);
typedef struct cop_emit_args {
	const char *name;    /* prefix of the functions; NULL: the name of the model */
	bool train;
	const char *train_spec;  /* as in cop_graph_train; NULL: the defaults */
	cop_graph **deployed; /* NULL, or receives the inference graph as it was printed, for comparison */
} cop_emit_args;
/* a NULL: inference only, under the name of the model. */
cop_status cop_emit_c(const cop_graph *g, const cop_target *t, const cop_emit_args *a, cop_file_fn *fn, void *ud);

/* What a page tells beside the network; NULL: it is left out. */
typedef struct cop_report_args {
	const char *history; /* what cop_compress wrote: JSON, needs jansson */
	size_t history_size;
	const char *check;   /* what `coppice check` left as check/result.json in an emitted folder of this network: likewise */
	size_t check_size;
	const char *log;     /* what `coppice train --log` wrote: a table with a line for each epoch */
	size_t log_size;
} cop_report_args;
/* Writes a page about g. a NULL: the network alone. COP_FORMAT: one of the texts is none of its kind. */
cop_status cop_report_html(const char *path, const cop_graph *g, const cop_report_args *a);

/* Several networks side by side. */
typedef struct cop_compared {
	const char *name;
	float accuracy, loss;  /* accuracy: 0 to 1; -1: not known */
	double microseconds;   /* of one sample; 0: not measured */
	cop_figures figures;   /* file_bytes as well */
	bool front;            /* no other one has at least its accuracy in at most its bytes of the file (where there is no file, of flash), and more of one of the two */
} cop_compared;
void cop_compare_front(cop_compared *p, int n); /* sets front; networks without an accuracy are not on it */
/* A page with a table of them, and a picture of accuracy over bytes. target: whose figures they are, NULL: the host's. */
cop_status cop_report_front_html(const char *path, cop_ctx *cx, const cop_compared *p, int n, const char *target);
/* A sample and the maps of one network, or of a network before and after. */
typedef struct cop_explained_by {
	const char *network;       /* its name or file */
	const char *predicted;     /* the class it finds; NULL: it gives numbers */
	float share;               /* the probability that it gives the class of the maps, 0 to 1; NAN: none */
	const cop_explanation *maps;
} cop_explained_by;
typedef struct cop_explained_random { const cop_explanation *maps; cop_likeness alike[COP_MAPS]; } cop_explained_random; /* alike: the maps of the network as it is */
typedef struct cop_explained {
	const char *name, *class_name; /* of the sample, of the class (or target) whose score it is */
	const char *label;             /* the sample's own class; NULL: not known */
	int n;                         /* networks: 1 or 2 */
	cop_explained_by by[2];
	cop_likeness alike[COP_MAPS];  /* of the two */
	const cop_explained_random *random; /* [n_random] of the last of them, ever more weights replaced; NULL: none */
	int n_random;
} cop_explained;
/* A page with their pictures. The maps of a sample are all of its size. */
cop_status cop_report_explained_html(const char *path, cop_ctx *cx, const cop_explained *e, int n);
/* The median time of one sample on one thread of this machine, as deployed. */
cop_status cop_latency(double *microseconds, const cop_graph *g);

/* ---- what can be named ------------------------------------------------------------------------ */

/* The tables of methods: "stages", "scores", "schedules", "passes" and so on, one a call; NULL past the end. */
const char *cop_table_name(int i, const char **summary);
/* Row i of a table; false past the end, and where there is no such table. */
typedef struct cop_method { const char *name, *summary, *source; /* who published it, or NULL */ } cop_method;
bool cop_table_row(cop_method *out, const char *table, int i);
/* Option k of that row; false past the last. */
typedef struct cop_method_option {
	const char *name, *meaning;
	const char *kind;     /* "whole", "real", "flag", "word", "text", "names", "rates", "choice" */
	const char *among;    /* of a choice: the table whose rows it takes; the options of the row are written beside it */
	const char *fallback; /* what it is when nobody sets it; NULL: nothing */
	bool needed;
	char values[400];     /* "0 to 1", "cubic, once" */
} cop_method_option;
bool cop_table_option(cop_method_option *out, const char *table, int i, int k);

/* Optional parts found at build time, one "name version" a call; NULL past the end. */
const char *cop_feature(int i);

/* Reads a whole file or pipe (at most max bytes; 0: 1 GiB) into memory of the context; free it with cop_free. A zero byte follows the last one, so a
 * text can be used as a string. */
cop_status cop_file_read(void **out, size_t *size, cop_ctx *cx, const char *path, size_t max);
/* Replaces or creates a file: it is written under a temporary name, brought to the disk, and renamed. A link is written through, and the permissions of
 * an old file are kept; a pipe or a character device is written directly. COP_IO: an old file is unchanged. */
cop_status cop_file_write(cop_ctx *cx, const char *path, const void *bytes, size_t size);
/* The same for files that belong together: all are complete before the first is renamed. */
typedef struct cop_file { const char *path; const void *bytes; size_t size; } cop_file;
cop_status cop_files_write(cop_ctx *cx, const cop_file *file, int n);
/* Fails now if cop_file_write would fail after hours of work: no such folder, read-only, or the path is a folder. */
cop_status cop_file_can_write(cop_ctx *cx, const char *path);
/* Do both paths lead to one file, also through links, or to one name in one folder where there is no file yet? */
bool cop_file_same(const char *a, const char *b);
void cop_free(cop_ctx *cx, void *p);

/* Arrays as NumPy's .npy (C order, little-endian). Read: f4 f8 -> f32, i4 i8 -> i32, i1 -> i8, u1 b1 -> u8;
 * out->data is freed with cop_free. */
cop_status cop_npy_read(cop_tensor *out, cop_ctx *cx, const char *path);
cop_status cop_npy_write(cop_ctx *cx, const char *path, const cop_tensor *t);
/* The same for an array of either kind: .npy, or a TensorProto (.pb) as ONNX's tests have them. */
cop_status cop_tensor_read(cop_tensor *out, cop_ctx *cx, const char *path);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
