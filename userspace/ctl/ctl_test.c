/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_test.h"

#include "config/restart.h"
#include "control/protocol.h"
#include "ctl/ctl_answer.h"

/* The agent's status, a new reference, or NULL. */
static json_t *ask_status(const char *socket)
{
	struct rg_ctl_reader agent = { .fd = rg_ctl_answer_connect(socket, NULL) };
	json_t *request, *answer = NULL, *result;

	if (agent.fd < 0)
		return NULL;
	request = json_pack("{s:s}", "command", rg_protocol_command(RG_COMMAND_STATUS)->name);
	if (!rg_ctl_answer_send(agent.fd, request))
		answer = rg_ctl_answer_read(&agent);
	result = json_incref(json_object_get(answer, "result"));
	json_decref(request);
	json_decref(answer);
	rg_ctl_answer_close(&agent);
	return result;
}

/* True if the agent runs with this very file. */
static bool is_agents(const json_t *agent, const char *path)
{
	RG_CLEANUP_FREE char *whole = realpath(path, NULL);
	const char *used = json_string_value(json_object_get(agent, "config"));

	return whole && used && !strcmp(whole, used);
}

/* A hint for each setting that the agent runs with another value of, and that a reload can't change. */
static void add_restart_hints(json_t *hints, const struct rg_conf *conf, const json_t *agent)
{
	const json_t *in_force = json_object_get(agent, "restart_settings");
	const struct rg_key *key;

	for (size_t i = 0; (key = rg_restart_key(i)); i++) {
		const char *value = json_string_value(json_object_get(in_force, key->name));
		char text[1024];

		if (value && strcmp(value, rg_restart_text(key, conf, text, sizeof(text))) != 0)
			json_array_append_new(
				hints, json_sprintf("%s differs from what repgated runs with: that "
						    "needs a restart, and a reload is refused",
						    key->name));
	}
}

json_t *rg_ctl_test(const char *path, const char *socket, struct rg_error *error)
{
	json_t *hints = json_array(), *status, *result;
	struct rg_conf *conf = NULL;

	if (rg_conf_load(&conf, path, error)) {
		json_decref(hints);
		return NULL;
	}
	status = ask_status(socket ? socket : conf->control_socket);
	if (is_agents(json_object_get(status, "agent"), path))
		add_restart_hints(hints, conf, json_object_get(status, "agent"));
	result = json_pack("{s:b, s:s, s:s, s:o}", "ok", 1, "file", path, "warnings",
			   conf->warnings ? conf->warnings : "", "hints", hints);
	json_decref(status);
	rg_conf_unref(conf);
	return result;
}
