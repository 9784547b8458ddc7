/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Country codes that people write: those of ISO 3166-1, and what was probably meant by another one. */
#ifndef REPGATE_LISTS_COUNTRY_CODE_H
#define REPGATE_LISTS_COUNTRY_CODE_H

#include <stdbool.h>

/* code: two letters, in any case, no NUL needed. Country databases also have XK (Kosovo), which counts. */
bool rg_country_code_exists(const char *code);

/* The code that is probably meant by one that does not exist, e.g. "GB" by "UK"; NULL: none. */
const char *rg_country_code_meant(const char *code);

#endif
