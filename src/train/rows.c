/* SPDX-License-Identifier: Apache-2.0
 *
 * rows - the tables of losses, rules of updates and forms: one line each in loss.def, update.def and form.def, and a file each in the
 * folder of that name.
 */
#include "train/build.h"

#define ROW(name) extern const cop_loss cop_loss_##name;
#include "train/loss.def"
#undef ROW
#define ROW(name) extern const cop_update cop_update_##name;
#include "train/update.def"
#undef ROW
#define ROW(name) extern const cop_form cop_form_##name;
#include "train/form.def"
#undef ROW

static const cop_row *loss_row(int i)
{
	static const cop_loss *const all[] = {
#define ROW(name) &cop_loss_##name,
#include "train/loss.def"
#undef ROW
	};
	return i >= 0 && i < LEN(all) ? &all[i]->row : NULL;
}

static const cop_row *update_row(int i)
{
	static const cop_update *const all[] = {
#define ROW(name) &cop_update_##name,
#include "train/update.def"
#undef ROW
	};
	return i >= 0 && i < LEN(all) ? &all[i]->row : NULL;
}

static const cop_row *form_row(int i)
{
	static const cop_form *const all[] = {
#define ROW(name) &cop_form_##name,
#include "train/form.def"
#undef ROW
	};
	return i >= 0 && i < LEN(all) ? &all[i]->row : NULL;
}

const cop_table cop_losses = {"losses", "loss", "what training makes small", loss_row};
const cop_table cop_updates = {"updates", "update", "how a weight follows its gradient", update_row};
const cop_table cop_forms = {"forms", "form", "a weight as an expression over what is trained", form_row};

/* The row of a name that the library itself writes down. */
static const cop_row *find(const cop_table *t, const char *name) { return t->row(cop__row_index(t, name, strlen(name))); }

const cop_loss *cop__loss(const char *name) { return (const cop_loss *)(const void *)find(&cop_losses, name); }
const cop_update *cop__update(const char *name) { return (const cop_update *)(const void *)find(&cop_updates, name); }
const cop_form *cop__form(const char *name) { return (const cop_form *)(const void *)find(&cop_forms, name); }
