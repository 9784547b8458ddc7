/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/names.h"

#include "base/util.h"

static const char *const class_names[RG_CLASS_MAX] = {
	[RG_CLASS_NONE] = "none",	  [RG_CLASS_APPROVED] = "approved",
	[RG_CLASS_CLEAN] = "clean",	  [RG_CLASS_BLOCKED] = "blocked",
	[RG_CLASS_STANDARD] = "standard", [RG_CLASS_QIL] = "qil",
	[RG_CLASS_UNKNOWN] = "unknown",	  [RG_CLASS_PENDING] = "pending",
};

static const char *const action_names[RG_ACTION_MAX] = {
	[RG_ACTION_NONE] = "none",     [RG_ACTION_PASS] = "pass",
	[RG_ACTION_DROP] = "drop",     [RG_ACTION_RESET] = "reset",
	[RG_ACTION_TAG] = "tag",       [RG_ACTION_TEMPFAIL] = "tempfail",
	[RG_ACTION_REJECT] = "reject", [RG_ACTION_THROTTLE] = "throttle",
	[RG_ACTION_HOLD] = "hold",
};

static const char *const reason_names[RG_REASON_MAX] = {
	[RG_REASON_NONE] = "none",
	[RG_REASON_LIST] = "local list",
	[RG_REASON_COUNTRY] = "country",
	[RG_REASON_ZONE] = "listed",
	[RG_REASON_NOT_LISTED] = "not listed",
	[RG_REASON_DNS_FAILURE] = "dns failure",
	[RG_REASON_NEVER_BLOCK] = "never blocked",
	[RG_REASON_OVERLOAD] = "overload",
	[RG_REASON_PRIVATE] = "private",
};

static const char *name_of(const char *const *names, size_t count, unsigned int value)
{
	return value < count && names[value] ? names[value] : "?";
}

static int value_of(const char *const *names, size_t count, const char *text)
{
	for (size_t i = 1; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

const char *rg_class_name(enum rg_class peer_class)
{
	return name_of(class_names, RG_CLASS_MAX, peer_class);
}

const char *rg_action_name(enum rg_action action)
{
	return name_of(action_names, RG_ACTION_MAX, action);
}

const char *rg_reason_name(enum rg_reason reason)
{
	return name_of(reason_names, RG_REASON_MAX, reason);
}

const char *rg_mode_name(enum rg_mode mode)
{
	return mode == RG_MODE_MONITOR ? "monitor" : "enforce";
}

int rg_action_parse(const char *text, enum rg_action *ret)
{
	int value = value_of(action_names, RG_ACTION_MAX, text);

	if (value < 0)
		return value;
	*ret = (enum rg_action)value;
	return 0;
}
