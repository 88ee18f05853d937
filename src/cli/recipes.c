/* SPDX-License-Identifier: Apache-2.0
 *
 * recipes - a recipe by its file, or by its name where recipes are kept: the folders of COPPICE_RECIPES, beside the program as it is
 * installed (../share/coppice/recipes), and beside the folder it was built in, or the one above that. Or a stage as it stands on the command line.
 */
#include "cli.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_RECIPES = 64 };
typedef struct names {
	char at[MOST_RECIPES][64];
	int n;
} names;

/* Folder i of all the places, "" where there are no more. */
static void place(char out[CLI_MOST_PATH], int i)
{
	static const char *const beside[] = {"../share/coppice/recipes", "../recipes", "../../recipes"};
	const char *p = getenv("COPPICE_RECIPES");
	char self[CLI_MOST_PATH - 64];

	for (; p && *p && i; i--) p += strcspn(p, ":"), p += *p == ':';
	*out = 0;
	if (p && *p) snprintf(out, CLI_MOST_PATH, "%.*s", (int)strcspn(p, ":"), p);
	ssize_t n = p && *p ? -1 : readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0 || i >= LEN(beside)) return;
	self[n] = 0;
	char *slash = strrchr(self, '/');
	if (slash) snprintf(out, CLI_MOST_PATH, "%.*s/%s", (int)(slash - self), self, beside[i]);
}

static void add_names(names *all, const char *folder)
{
	const struct dirent *e;
	DIR *d = opendir(folder);

	while (d && all->n < MOST_RECIPES && (e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');
		if (dot && !strcmp(dot, ".yaml") && dot - e->d_name < 64) snprintf(all->at[all->n++], 64, "%.*s", (int)(dot - e->d_name), e->d_name);
	}
	if (d) closedir(d);
}

static const char *name_at(void *ud, int i)
{
	const names *all = ud;
	return i < all->n ? all->at[i] : NULL;
}

bool cli_is_stage(const char *said) { return (strstr(said, ": ") || strchr(said, '{')) && access(said, F_OK); }

cop_status cli_recipe(char out[CLI_MOST_PATH], cli *c, const char *said)
{
	char folder[CLI_MOST_PATH];
	names all = {.n = 0};

	if (strlen(said) > 900) return cli_fail(c, COP_ARG, "--recipe: longer than 900 characters");
	snprintf(out, CLI_MOST_PATH, "%s", said);
	if (!access(said, F_OK) || cli_is_stage(said)) return COP_OK;
	if (strpbrk(said, "/.")) return cli_fail(c, COP_IO, "%s: no such file", said);
	for (int i = 0; place(folder, i), *folder; i++) {
		snprintf(out, CLI_MOST_PATH, "%.900s/%.100s.yaml", folder, said);
		if (!access(out, R_OK)) return COP_OK;
		add_names(&all, folder);
	}
	int near = cop_nearest(said, name_at, &all);
	return cli_fail(c, COP_ARG, "--recipe %s: there is no such file and no recipe of that name%s%s%s", said,
		near < 0 ? "" : "; did you mean '", near < 0 ? "" : all.at[near], near < 0 ? "" : "'?");
}

cop_status cli_recipe_read(char **text, size_t *size, cli *c, const char *recipe)
{
	char stage[CLI_MOST_PATH];
	void *file = NULL;
	const int n = cli_is_stage(recipe) ? snprintf(stage, sizeof stage, "stages: [{%.900s}]\n", recipe) : 0;

	*size = (size_t)n;
	if (!n) CLI_TRY(cop_file_read(&file, size, c->cx, recipe, 1 << 20));
	*text = malloc(*size + 1);
	if (*text) memcpy(*text, n ? stage : file, *size + 1);
	cop_free(c->cx, file);
	return *text ? COP_OK : cli_fail(c, COP_NOMEM, "out of memory");
}
