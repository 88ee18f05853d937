/* SPDX-License-Identifier: Apache-2.0
 *
 * emit - a network as plain C. The files are written into a folder beside the output and moved there when all of
 * them are whole; files of other names that lie in the output are left alone.
 */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_TARGET = 0x3000, KEY_TRAIN, KEY_UPDATE, KEY_NAME, KEY_RAM, KEY_FAST, KEY_FLASH, KEY_INPUTS, KEY_PATCH, PATH_SIZE = 1024 };

typedef struct job {
	cli *c;
	cop_emit_args a;
	cli_inputs inputs;
	const char *file, *target;
	size_t ram, fast, flash; /* 0: the target's; fast: none */
	float patch;       /* more work that less RAM may cost; 0: none */
	cop_patch patched;
	char out[PATH_SIZE - 300], beside[PATH_SIZE - 200];
	int files;
	int64_t bytes;
} job;

static const struct argp_option options[] = {
        {"output", 'o', "FOLDER", 0, "where the C files go", 0},
        {"target", KEY_TARGET, "NAME", 0, "a machine of `coppice targets` (host)", 0},
        {"ram", KEY_RAM, "SIZE", 0, "bytes of RAM there are, stack included: 20000, 64K, 2M (all the target has)", 0},
        {"fast-ram", KEY_FAST, "SIZE", 0, "bytes of a second, faster RAM: it takes what is touched most for its size, --ram the rest and the stack", 0},
        {"flash", KEY_FLASH, "SIZE", 0, "bytes of flash there are, likewise", 0},
        {"patch", KEY_PATCH, "PART", 0, "compute the first layers in bands where that needs less RAM and at most PART (0.3: 30 %) more multiply-accumulates", 0},
        {"inputs", KEY_INPUTS, "FILE.npy", 0, "inputs for `coppice check`; once for each input of the network (random numbers)", 0},
        {"name", KEY_NAME, "NAME", 0, "what the functions begin with", 0},
        {"train", KEY_TRAIN, NULL, 0, "with the training step", 0},
        {"update", KEY_UPDATE, "WORDS", 0, "with --train: the update, as in `coppice train`", 0},
        {0},
};

static error_t option(int key, char *arg, struct argp_state *state, void *ud)
{
	job *j = ud;
	char *end;

	switch (key) {
	case 'o':
		if (strlen(arg) >= sizeof j->out) argp_error(state, "the path of the output is too long");
		snprintf(j->out, sizeof j->out, "%s", arg);
		return 0;
	case KEY_TARGET:
		j->target = arg;
		return 0;
	case KEY_NAME:
		j->a.name = arg;
		return 0;
	case KEY_RAM:
		j->ram = cli_size(state, "--ram", arg);
		return 0;
	case KEY_FAST:
		j->fast = cli_size(state, "--fast-ram", arg);
		return 0;
	case KEY_FLASH:
		j->flash = cli_size(state, "--flash", arg);
		return 0;
	case KEY_PATCH:
		j->patch = strtof(arg, &end);
		if (end == arg || *end || !(j->patch > 0 && j->patch <= 10)) argp_error(state, "--patch=%s: must be a number above 0, at most 10", arg);
		return 0;
	case KEY_INPUTS:
		if (j->inputs.n_npy == LEN(j->inputs.npy)) argp_error(state, "more than %d files of inputs", LEN(j->inputs.npy));
		j->inputs.npy[j->inputs.n_npy++] = arg;
		return 0;
	case KEY_TRAIN:
		j->a.train = true;
		return 0;
	case KEY_UPDATE:
		j->a.train_spec = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The folders that lead to a file below `top`. */
static int make_folders(char *path, size_t top)
{
	for (char *p = path + top + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		int e = mkdir(path, 0777) && errno != EEXIST;
		*p = '/';
		if (e) return -1;
	}
	return 0;
}

static cop_status write_file(void *ud, const char *name, const void *bytes, size_t size)
{
	job *j = ud;
	char path[PATH_SIZE];
	int n = snprintf(path, sizeof path, "%s/%s", j->beside, name);

	if (n < 0 || n >= (int)sizeof path) return cli_fail(j->c, COP_ARG, "%s: the path is too long", name);
	if (make_folders(path, strlen(j->beside))) return cli_fail(j->c, COP_IO, "%s: %s", path, strerror(errno));
	FILE *f = fopen(path, "wb");
	if (!f) return cli_fail(j->c, COP_IO, "%s: %s", path, strerror(errno));
	bool ok = fwrite(bytes, 1, size, f) == size;
	ok = !fclose(f) && ok;
	if (!ok)
		return cli_fail(j->c, COP_IO, "%s/%s could not be written: %s; nothing is left of it", j->out, name,
		        strerror(errno));
	j->files++;
	j->bytes += (int64_t)size;
	return COP_OK;
}

/* Moves what lies below `from` to `to` (NULL: removes it), and then the folder itself. */
static int move(const char *from, const char *to)
{
	char a[PATH_SIZE], b[PATH_SIZE];
	struct stat s;
	struct dirent *e;
	DIR *d = opendir(from);
	int bad = 0;

	if (!d) return -1;
	if (to && mkdir(to, 0777) && errno != EEXIST) bad = -1;
	while (!bad && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
		int n = snprintf(a, sizeof a, "%s/%s", from, e->d_name),
		    m = snprintf(b, sizeof b, "%s/%s", to ? to : "", e->d_name);
		if (n >= (int)sizeof a || m >= (int)sizeof b || lstat(a, &s)) bad = -1;
		else if (S_ISDIR(s.st_mode)) bad = move(a, to ? b : NULL);
		else bad = to ? rename(a, b) : unlink(a);
	}
	closedir(d);
	return bad ? bad : rmdir(from);
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
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/model.cop", j->beside);
	CLI_TRY(cop_model_save(g, path));
	snprintf(path, sizeof path, "%s/x.bin", j->beside);
	return cli_inputs_write(j->c, g, &j->inputs, path);
}

static cop_status patch(job *j, cop_graph **g, const cop_target *t)
{
	cop_target board = *t;

	if (j->a.train) return cli_fail(j->c, COP_ARG, "--patch: a training step keeps whole activations; leave --train or --patch out");
	board.threads = 1;
	CLI_TRY(cop_graph_apply(g, "to_infer fuse"));
	return cop_graph_patch(g, &board, j->patch, &j->patched);
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
	cop_status st = mkdir(j->beside, 0777) ? cli_fail(c, COP_IO, "%s: %s", j->out, strerror(errno)) : COP_OK;
	if (st) {
		cop_graph_free(g);
		return st;
	}
	j->a.deployed = &deployed;
	if (j->patch > 0) st = patch(j, &g, &t);
	if (!st) st = cop_emit_c(g, &t, &j->a, write_file, j);
	if (!st) st = write_check(j, deployed);
	cop_graph_free(deployed);
	cop_graph_free(g);
	if (!st && rename(j->beside, j->out) && move(j->beside, j->out))
		st = cli_fail(c, COP_IO, "%s: could not be written: %s", j->out, strerror(errno));
	if (st) move(j->beside, NULL);
	return st;
}

cop_status cmd_emit(cli *c, int argc, char **argv)
{
	job j = {.c = c, .target = "host", .a = {.name = "net"}, .inputs = {.sets = 4}};
	const cli_line line = {options, "FILE",
	        "Writes a network as C that needs a C compiler and nothing else.\v"
	        "Example:\n  coppice emit small.cop --target cortex-m4 -o out/\n"
	        "  coppice emit small.cop --target cortex-m4 --ram 64K --flash 256K -o out/\n"
	        "  coppice emit small.cop --target mps3-an547 --fast-ram 64K --ram 256K -o out/\n"
	        "  coppice emit small.cop --target netduinoplus2 --train --update \"sgd momentum=0 layers=fc3*\" -o "
	        "out/",
	        option, &j, &j.file, 1, 1};
	char n[32];

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	for (size_t k = strlen(j.out); k > 1 && j.out[k - 1] == '/'; k--) j.out[k - 1] = 0;
	if (!*j.out) return cli_fail(c, COP_ARG, "-o FOLDER is missing: where should the files go?");
	if (j.a.train_spec && !j.a.train) return cli_fail(c, COP_ARG, "--update is an option of --train");
	if (cli_file_size(j.out) >= 0) return cli_fail(c, COP_IO, "%s: is a file, a folder was expected", j.out);
	snprintf(j.beside, sizeof j.beside, "%s.%ld.part", j.out, (long)getpid());
	CLI_TRY(emit(&j));
	cli_put_text(c, "output", j.out);
	cli_put_int(c, "files", j.files);
	cli_put_int(c, "bytes", j.bytes);
	if (j.patched.bands) {
		cli_put_int(c, "bands", j.patched.bands);
		cli_put_int(c, "arena_bytes_before", (int64_t)j.patched.bytes_before);
		cli_put_int(c, "arena_bytes", (int64_t)j.patched.bytes);
		if (!c->quiet) cli_out(c, "the first layers in %d bands: arena %zu -> %zu bytes, %.1f %% more multiply-accumulates\n", j.patched.bands, j.patched.bytes_before,
			j.patched.bytes, 100 * ((double)j.patched.macs / (double)j.patched.macs_before - 1));
	} else if (j.patch > 0 && !c->quiet) {
		cli_out(c, "--patch: no number of bands needs less than the %zu bytes of the whole\n", j.patched.bytes_before);
	}
	cli_number_text(n, (double)j.bytes);
	if (!c->quiet) cli_out(c, "%s: %d files, %s bytes of text, for %s\n", j.out, j.files, n, j.target);
	return COP_OK;
}
