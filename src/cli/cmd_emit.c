/* SPDX-License-Identifier: Apache-2.0
 *
 * emit - a network as plain C: the network's files into the output, what runs and checks it into the folder `check` there (folder.h).
 */
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_TARGET = 0x3000, KEY_TRAIN, KEY_UPDATE, KEY_NAME, KEY_RAM, KEY_FAST, KEY_FLASH, KEY_INPUTS, KEY_PATCH, KEY_FORCE, KEY_CLASSES, KEY_CODE, KEY_INSTRUCTIONS };

typedef struct job {
	cli *c;
	cop_emit_args a;
	cli_inputs inputs;
	const char *file, *target, *classes;
	size_t ram, fast, flash; /* 0: the target's; fast: none */
	float patch;       /* more work that less RAM may cost; 0: none */
	cop_patch patched;
	cop_code_args code; /* by NONE: not */
	cop_coded coded;
	cli_form form;
	cli_folder out;
} job;

static const struct argp_option options[] = {
        {"output", 'o', "FOLDER", 0, "folder for the C files", 0},
        {"target", KEY_TARGET, "NAME", 0, "machine to write code for, from `coppice targets` (default: host)", 0},
        {"ram", KEY_RAM, "SIZE", 0, "RAM available, stack included: 20000, 64K, 2M (default: all the target has)", 0},
	{"fast-ram", KEY_FAST, "SIZE", 0,
		"size of a second, faster RAM. It gets the buffers that are accessed most for their "
		"size; --ram holds the rest and the stack", 0},
        {"flash", KEY_FLASH, "SIZE", 0, "flash available, in the same form (default: all the target has)", 0},
	{"patch", KEY_PATCH, "PART", 0, "compute the first layers band by band if that saves RAM and costs at most PART more "
		"multiply-accumulates (0.3: 30 %)", 0},
	{"code", KEY_CODE, "NAME", OPTION_ARG_OPTIONAL, "keep weights of int8 layers coded in flash where that makes them smaller, and decode them "
		"before their layer runs: less flash, for more RAM and instructions. The results stay the same. NAME is the code: tables (fast), adaptive (shorter "
		"where most weights are zero) or auto, whichever makes the product of flash and instructions smaller (default: tables)", 0},
	{"instructions", KEY_INSTRUCTIONS, "N", 0, "with --code: instructions that a run may take, as foretold: 500K, 2M. Flash is then as small as it can be", 0},
        {"inputs", KEY_INPUTS, "FILE.npy", 0, "inputs for `coppice check`; repeat it for each input of the network (default: random numbers)", 0},
        {"name", KEY_NAME, "NAME", 0, "prefix of the C functions (default: net)", 0},
        {"classes", KEY_CLASSES, "FILE", 0, "names of the classes, one per line, in the order of the outputs (default: the names in the network)", 0},
        {"force", KEY_FORCE, NULL, 0, "overwrite files of the same names even if coppice did not write them or you have changed them", 0},
        {"train", KEY_TRAIN, NULL, 0, "also emit a training step", 0},
        {"update", KEY_UPDATE, "WORDS", 0, "with --train: the update rule, as in `coppice train`", 0},
        {0},
};

static cop_code code_named(const struct argp_state *state, const char *name)
{
	for (cop_code c = COP_CODE_TABLES; name && cli_code_name(c); c++)
		if (!strcmp(name, cli_code_name(c))) return c;
	if (name) cli_misuse(state, "--code=%s: must be tables, adaptive or auto", name);
	return COP_CODE_TABLES;
}

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;
	char *end;

	switch (key) {
	case 'o': j->out.said = arg; break;
	case KEY_CLASSES: j->classes = arg; break;
	case KEY_FORCE: j->out.force = true; break;
	case KEY_TARGET: j->target = arg; break;
	case KEY_NAME: j->a.name = arg; break;
	case KEY_RAM: j->ram = cli_size(state, "--ram", arg); break;
	case KEY_FAST: j->fast = cli_size(state, "--fast-ram", arg); break;
	case KEY_FLASH: j->flash = cli_size(state, "--flash", arg); break;
	case KEY_PATCH:
		j->patch = strtof(arg, &end);
		if (end == arg || *end || !(j->patch > 0 && j->patch <= 10)) cli_misuse(state, "--patch=%s: must be a number above 0, at most 10", arg);
		break;
	case KEY_CODE: j->code.by = code_named(state, arg); break;
	case KEY_INSTRUCTIONS: j->code.instructions = cli_many(state, "--instructions", arg); break;
	case KEY_INPUTS:
		if (j->inputs.n_npy == LEN(j->inputs.npy)) cli_misuse(state, "more than %d files of inputs", LEN(j->inputs.npy));
		j->inputs.npy[j->inputs.n_npy++] = arg;
		break;
	case KEY_TRAIN: j->a.train = true; break;
	case KEY_UPDATE: j->a.train_spec = arg; break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static cop_status limit(cli *c, const char *what, size_t *has, size_t given, const char *target)
{
	if (given && *has && given > *has) return cli_fail(c, COP_ARG, "--%s: target %s has only %zu bytes", what, target, *has);
	if (given) *has = given;
	return COP_OK;
}

/* What `coppice check` compares with: the network as it was printed, and inputs. */
static cop_status write_check(job *j, const cop_graph *g)
{
	char path[CLI_PATH];

	CLI_TRY(cli_folder_place(path, &j->out, "check/model.cop"));
	CLI_TRY(cop_model_save(g, path));
	CLI_TRY(cli_folder_take(&j->out, "check/model.cop"));
	CLI_TRY(cli_folder_place(path, &j->out, "check/x.bin"));
	CLI_TRY(cli_inputs_write(j->c, g, &j->inputs, path));
	return cli_folder_take(&j->out, "check/x.bin");
}

static cop_status form(job *j, cop_graph **g, const cop_target *t)
{
	cop_target board = *t;
	int32_t integers = 0;

	if (j->a.train && j->code.by) return cli_fail(j->c, COP_ARG, "--code does not work with --train: only weights that never change can be coded");
	if (j->a.train && j->form.rounding) return cli_fail(j->c, COP_ARG, "--rounding does not work with --train: an int8 network is trained with the rounding that it has");
	board.threads = 1;
	if (j->a.train) CLI_TRY(cli_trainable(g, &j->a.train_spec, &integers));
	else CLI_TRY(cli_form_apply(g, &j->form));
	if (j->patch > 0) CLI_TRY(cop_graph_patch(g, &board, j->patch, &j->patched));
	if (!j->code.by) return COP_OK;
	board.ram = j->ram; /* what the user allows; 0: see cop_graph_code */
	return cop_graph_code(g, &board, &j->code, &j->coded);
}

static cop_status emit(job *j)
{
	cli *c = j->c;
	cop_graph *g, *deployed = NULL;
	cop_target t;

	CLI_TRY(cop_target_find(&t, c->cx, j->target));
	CLI_TRY(limit(c, "ram", &t.ram, j->ram, j->target));
	CLI_TRY(limit(c, "flash", &t.flash, j->flash, j->target));
	t.fast_ram = j->fast;
	CLI_TRY(cli_model(&g, c, j->file));
	j->a.deployed = &deployed;
	cop_status st = j->classes ? cli_classes_set(c, g, j->classes) : COP_OK;
	if (!st) st = form(j, &g, &t);
	if (!st) st = cop_emit_c(g, &t, &j->a, cli_folder_write, &j->out);
	if (!st) st = write_check(j, deployed);
	cop_graph_free(deployed);
	cop_graph_free(g);
	return cli_folder_end(&j->out, st);
}

static void say_coded(cli *c, const cop_coded *d)
{
	char before[32], after[32], decoding[32];

	cli_put_int(c, "coded_layers", d->layers);
	if (!d->layers) {
		cli_out(c, "--code: no weights would take less flash within the RAM and the instructions that they may take (--ram, --instructions)\n");
		return;
	}
	cli_put_int(c, "flash_bytes_before", (int64_t)d->flash_before);
	cli_put_int(c, "flash_bytes", (int64_t)d->flash);
	cli_put_text(c, "code", cli_code_name(d->by));
	cli_out(c, "the weights of %d layers are coded (%s): flash %zu -> %zu bytes, RAM %zu -> %zu bytes\n", d->layers, cli_code_name(d->by), d->flash_before, d->flash,
		d->ram_before, d->ram);
	if (d->instructions <= 1) return;
	cli_put_int(c, "instructions_before", d->instructions_before);
	cli_put_int(c, "instructions", d->instructions);
	cli_put_int(c, "decoding_instructions", d->decoding);
	cli_number_text(before, (double)d->instructions_before);
	cli_number_text(after, (double)d->instructions);
	cli_number_text(decoding, (double)d->decoding);
	cli_out(c, "instructions, foretold: %s -> %s, %s of them for decoding\n", before, after, decoding);
}

cop_status cmd_emit(cli *c, int argc, char **argv)
{
	static const char *const products[] = {"check/build", "check/y.bin", "check/parameters.bin", "check/result.json", NULL};
	job j = {.c = c, .target = "host", .a = {.name = "net"}, .inputs = {.sets = 4}, .out = {.c = c, .products = products}};
	const cli_line line = {options, "FILE",
	        "Writes a network as plain C code that needs a C compiler and nothing else.\v"
	        "Example:\n  coppice emit small.cop --target cortex-m4 -o out/\n"
	        "  coppice emit small.cop --target cortex-m4 --ram 64K --flash 256K -o out/\n"
	        "  coppice emit small.cop --target mps3-an547 --fast-ram 64K --ram 256K -o out/\n"
	        "  coppice emit small.cop --target netduinoplus2 --train --update \"sgd momentum=0 layers=fc3*\" -o "
	        "out/",
	        option, &j, &j.file, 1, 1};
	char n[32];

	c->form = &j.form;
	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	if (!j.out.said || !*j.out.said) return cli_fail(c, COP_ARG, "-o FOLDER is missing: name a folder for the files");
	if (j.code.instructions && !j.code.by) return cli_fail(c, COP_ARG, "--instructions needs --code");
	if (j.a.train_spec && !j.a.train) return cli_fail(c, COP_ARG, "--update needs --train");
	if (cli_file_size(j.out.said) >= 0) return cli_fail(c, COP_IO, "%s: this is a file; give a folder", j.out.said);
	CLI_TRY(emit(&j));
	cli_put_text(c, "output", j.out.said);
	cli_put_int(c, "files", j.out.files);
	cli_put_int(c, "bytes", j.out.bytes);
	if (j.patched.bands) {
		cli_put_int(c, "bands", j.patched.bands);
		cli_put_int(c, "arena_bytes_before", (int64_t)j.patched.bytes_before);
		cli_put_int(c, "arena_bytes", (int64_t)j.patched.bytes);
		cli_out(c, "the first layers are computed in %d bands: arena %zu -> %zu bytes, %.1f %% more multiply-accumulates\n", j.patched.bands, j.patched.bytes_before,
			j.patched.bytes, 100 * ((double)j.patched.macs / (double)j.patched.macs_before - 1));
	} else if (j.patch > 0) {
		cli_out(c, "--patch: computing in bands would not need less than the present %zu bytes\n", j.patched.bytes_before);
	}
	if (j.code.by) say_coded(c, &j.coded);
	cli_number_text(n, (double)j.out.bytes);
	cli_out(c, "%s: %d files, %s bytes of text, for %s\n", j.out.said, j.out.files, n, j.target);
	return COP_OK;
}
