/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lists/country_code.h"

#include <stddef.h>
#include <string.h>

/* ISO 3166-1 alpha-2, and XK: the second letters behind each first one. */
static const char *const codes[26] = {
	['A' - 'A'] = "DEFGILMOQRSTUWXZ",
	['B' - 'A'] = "ABDEFGHIJLMNOQRSTVWYZ",
	['C' - 'A'] = "ACDFGHIKLMNORUVWXYZ",
	['D' - 'A'] = "EJKMOZ",
	['E' - 'A'] = "CEGHRST",
	['F' - 'A'] = "IJKMOR",
	['G' - 'A'] = "ABDEFGHILMNPQRSTUWY",
	['H' - 'A'] = "KMNRTU",
	['I' - 'A'] = "DELMNOQRST",
	['J' - 'A'] = "EMOP",
	['K' - 'A'] = "EGHIMNPRWYZ",
	['L' - 'A'] = "ABCIKRSTUVY",
	['M' - 'A'] = "ACDEFGHKLMNOPQRSTUVWXYZ",
	['N' - 'A'] = "ACEFGILOPRUZ",
	['O' - 'A'] = "M",
	['P' - 'A'] = "AEFGHKLMNRSTWY",
	['Q' - 'A'] = "A",
	['R' - 'A'] = "EOSUW",
	['S' - 'A'] = "ABCDEGHIJKLMNORSTVXYZ",
	['T' - 'A'] = "CDFGHJKLMNORTVWZ",
	['U' - 'A'] = "AGMSYZ",
	['V' - 'A'] = "ACEGINU",
	['W' - 'A'] = "FS",
	['X' - 'A'] = "K",
	['Y' - 'A'] = "ET",
	['Z' - 'A'] = "AMW",
};

/* What is written instead of the code: other abbreviations, and codes that ISO has withdrawn. */
static const char meant[][2][3] = {
	{ "UK", "GB" }, { "EL", "GR" }, { "EN", "GB" }, { "SU", "RU" },
	{ "YU", "RS" }, { "CS", "RS" }, { "TP", "TL" }, { "ZR", "CD" },
	{ "BU", "MM" }, { "DD", "DE" }, { "FX", "FR" }, { "AN", "CW" },
	{ "JA", "JP" }, { "SF", "FI" }, { "KO", "KR" }, { "DA", "DK" },
};

static char upper(char letter)
{
	return (char)(letter & ~0x20);
}

bool rg_country_code_exists(const char *code)
{
	char first = upper(code[0]);
	const char *seconds = first >= 'A' && first <= 'Z' ? codes[first - 'A'] : NULL;

	return seconds && upper(code[1]) && strchr(seconds, upper(code[1]));
}

const char *rg_country_code_meant(const char *code)
{
	for (size_t i = 0; i < sizeof(meant) / sizeof(*meant); i++)
		if (meant[i][0][0] == upper(code[0]) && meant[i][0][1] == upper(code[1]))
			return meant[i][1];
	return NULL;
}
